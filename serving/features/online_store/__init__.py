"""TODO serving/features/online_store."""
