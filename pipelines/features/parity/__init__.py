"""TODO pipelines/features/parity."""
