"""TODO pipelines/features/offline_store."""
