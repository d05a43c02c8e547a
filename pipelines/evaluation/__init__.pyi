from .bootstrap import RESAMPLES as RESAMPLES
from .bootstrap import Interval as Interval
from .bootstrap import interval as interval
from .bootstrap import intervals as intervals
from .bootstrap import paired_interval as paired_interval
from .calibration import Outcome as Outcome
from .calibration import auc as auc
from .calibration import calibration_error as calibration_error
from .evaluation import Evaluation as Evaluation
from .evaluation import evaluate as evaluate
from .ground_truth import GroundTruth as GroundTruth
from .ground_truth import ItemSets as ItemSets
from .ground_truth import build_truth as build_truth
from .ground_truth import events_per_user as events_per_user
from .ground_truth import instants as instants
from .ground_truth import positions as positions
from .item_facts import Catalogue as Catalogue
from .metrics import metrics_of_hits as metrics_of_hits
from .metrics import ndcg_of_ranks as ndcg_of_ranks
from .model_scores import Parity as Parity
from .model_scores import Scores as Scores
from .plots import CHAMPION_COLOUR as CHAMPION_COLOUR
from .plots import RELEASE_COLOUR as RELEASE_COLOUR
from .plots import error_bars as error_bars
from .plots import house_style as house_style
from .ranking import rank_scores as rank_scores
from .report import plain as plain
from .report import render_page as render_page
from .report import report_content as report_content
from .report import write_report as write_report
from .split import TimeSplit as TimeSplit
from .split import Window as Window
from .split import utc64 as utc64

__all__ = [
    "CHAMPION_COLOUR",
    "RELEASE_COLOUR",
    "RESAMPLES",
    "Catalogue",
    "Evaluation",
    "GroundTruth",
    "Interval",
    "ItemSets",
    "Outcome",
    "Parity",
    "Scores",
    "TimeSplit",
    "Window",
    "auc",
    "build_truth",
    "calibration_error",
    "error_bars",
    "evaluate",
    "events_per_user",
    "house_style",
    "instants",
    "interval",
    "intervals",
    "metrics_of_hits",
    "ndcg_of_ranks",
    "paired_interval",
    "plain",
    "positions",
    "rank_scores",
    "render_page",
    "report_content",
    "utc64",
    "write_report",
]
