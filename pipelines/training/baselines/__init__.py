"""The field that a release must beat: popularity, personal frequency and item-kNN, behind one interface."""

from pipelines.training.baselines.field import Baseline, baseline_lists, fit_field

__all__ = ["Baseline", "baseline_lists", "fit_field"]
