"""TODO pipelines/backtest/report."""
