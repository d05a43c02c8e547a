"""TODO pipelines/backtest/data."""
