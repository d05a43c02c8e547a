"""TODO pipelines/features/registry."""
