"""TODO pipelines/training/fit."""
