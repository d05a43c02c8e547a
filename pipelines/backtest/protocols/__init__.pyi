from .registry import find_cut as find_cut
from .registry import prepare as prepare
from .split import BacktestSplit as BacktestSplit
from .split import Cutoff as Cutoff
from .split import TestAnswers as TestAnswers
from .split import all_of as all_of
from .split import seen_pairs as seen_pairs

__all__ = [
    "BacktestSplit",
    "Cutoff",
    "TestAnswers",
    "all_of",
    "find_cut",
    "prepare",
    "seen_pairs",
]
