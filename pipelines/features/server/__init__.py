"""TODO pipelines/features/server."""
