"""TODO pipelines/features/engines."""
