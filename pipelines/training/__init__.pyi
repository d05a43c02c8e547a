from .aisle_model import fit_default as fit_default
from .config import BUDGETS as BUDGETS
from .config import Budget as Budget
from .config import FrozenConfig as FrozenConfig
from .config import IntentConfig as IntentConfig
from .config import RetrievalConfig as RetrievalConfig
from .config import TrainingConfig as TrainingConfig
from .current_items import save_current_items as save_current_items
from .current_items import serve_current_items as serve_current_items
from .event_training_set import TEST as TEST
from .event_training_set import EventTrainingSet as EventTrainingSet
from .item_statistics import write_item_state as write_item_state
from .item_statistics import write_lookalikes as write_lookalikes
from .item_statistics import write_state_of as write_state_of
from .tf import Tensor as Tensor
from .tf import fix_seeds as fix_seeds
from .tf import tfrs as tfrs

__all__ = [
    "BUDGETS",
    "TEST",
    "Budget",
    "EventTrainingSet",
    "FrozenConfig",
    "IntentConfig",
    "RetrievalConfig",
    "Tensor",
    "TrainingConfig",
    "fit_default",
    "fix_seeds",
    "save_current_items",
    "serve_current_items",
    "tfrs",
    "write_item_state",
    "write_lookalikes",
    "write_state_of",
]
