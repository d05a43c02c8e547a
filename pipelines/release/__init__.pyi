from .feature_changes import declare as declare
from .feature_changes_cli import apply as apply
from .feature_changes_cli import plan as plan
from .gate import Decision as Decision
from .registration import Measured as Measured
from .registration import Origin as Origin
from .registration import register_release as register_release
from .registry import CHAMPION as CHAMPION
from .registry import Registry as Registry
from .tasks import auto_promote as auto_promote
from .tasks import begin as begin
from .tasks import build_training_set as build_training_set
from .tasks import register as register
from .tasks import train_ranking as train_ranking
from .tasks import train_retrieval as train_retrieval

__all__ = [
    "CHAMPION",
    "Decision",
    "Measured",
    "Origin",
    "Registry",
    "apply",
    "auto_promote",
    "begin",
    "build_training_set",
    "declare",
    "plan",
    "register",
    "register_release",
    "train_ranking",
    "train_retrieval",
]
