"""TODO pipelines/features/transforms."""
