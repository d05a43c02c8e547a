from .feast_training_set import COUNTED as COUNTED
from .feast_training_set import FINAL as FINAL
from .feast_training_set import INTERACTIONS as INTERACTIONS
from .feast_training_set import KEPT_WEIGHTS as KEPT_WEIGHTS
from .feast_training_set import RETRIEVAL_USERS as RETRIEVAL_USERS
from .feast_training_set import TEST as TEST
from .feast_training_set import USERS as USERS
from .feast_training_set import TrainingSet as TrainingSet
from .feast_training_set import training_directory as training_directory
from .histories import Histories as Histories
from .interactions import EncodedShop as EncodedShop
from .interactions import Interactions as Interactions
from .interactions import encode_events as encode_events
from .interactions import newest_items as newest_items
from .interactions import read_shop as read_shop
from .interactions import whole_catalogue as whole_catalogue
from .item_codes import CODE_COLUMNS as CODE_COLUMNS
from .item_codes import VOCABULARY_WORDS as VOCABULARY_WORDS
from .item_codes import attribute_codes as attribute_codes
from .item_codes import code_texts as code_texts
from .item_codes import price_levels as price_levels
from .item_codes import title_words as title_words
from .model_split import EvaluationPoint as EvaluationPoint
from .model_split import LabelledPoint as LabelledPoint
from .model_split import ModelSplit as ModelSplit
from .tie_order import tie_keys as tie_keys
from .training_data import PROFILE_VALUES as PROFILE_VALUES
from .training_data import VALIDATION as VALIDATION
from .training_data import Requests as Requests
from .training_data import TrainingData as TrainingData
from .training_data import UserStates as UserStates
from .training_data import type_codes as type_codes
from .user_snapshots import state_instants as state_instants
from .user_snapshots import states_at as states_at

__all__ = [
    "CODE_COLUMNS",
    "COUNTED",
    "FINAL",
    "INTERACTIONS",
    "KEPT_WEIGHTS",
    "PROFILE_VALUES",
    "RETRIEVAL_USERS",
    "TEST",
    "USERS",
    "VALIDATION",
    "VOCABULARY_WORDS",
    "EncodedShop",
    "EvaluationPoint",
    "Histories",
    "Interactions",
    "LabelledPoint",
    "ModelSplit",
    "Requests",
    "TrainingData",
    "TrainingSet",
    "UserStates",
    "attribute_codes",
    "code_texts",
    "encode_events",
    "newest_items",
    "price_levels",
    "read_shop",
    "state_instants",
    "states_at",
    "tie_keys",
    "title_words",
    "training_directory",
    "type_codes",
    "whole_catalogue",
]
