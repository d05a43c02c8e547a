"""TODO pipelines/backtest/ratings."""
