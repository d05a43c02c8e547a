"""TODO pipelines/backtest/models."""
