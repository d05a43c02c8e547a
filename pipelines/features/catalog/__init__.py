"""TODO pipelines/features/catalog."""
