"""TODO serving/features."""
