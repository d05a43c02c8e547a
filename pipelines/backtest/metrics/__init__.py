"""TODO pipelines/backtest/metrics."""
