from .config import BacktestConfig as BacktestConfig

__all__ = [
    "BacktestConfig",
]
