"""TODO pipelines/backtest/protocols."""
