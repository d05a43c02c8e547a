"""TODO pipelines/features/online_store."""
