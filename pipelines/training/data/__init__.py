"""TODO pipelines/training/data."""
