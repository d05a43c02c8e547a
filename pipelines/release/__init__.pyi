from .feature_changes import declare as declare
from .feature_changes_cli import apply as apply
from .feature_changes_cli import plan as plan
from .tasks import auto_promote as auto_promote
from .tasks import begin as begin
from .tasks import build_training_set as build_training_set
from .tasks import register as register
from .tasks import train_ranking as train_ranking
from .tasks import train_retrieval as train_retrieval

__all__ = [
    "apply",
    "auto_promote",
    "begin",
    "build_training_set",
    "declare",
    "plan",
    "register",
    "train_ranking",
    "train_retrieval",
]
