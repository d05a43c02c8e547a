"""TODO pipelines/backtest/leak_probe."""
