"""TODO pipelines/backtest/tuning."""
