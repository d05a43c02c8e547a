from .groups import ItemGroups as ItemGroups
from .inputs import CART as CART
from .inputs import NUMBERS as NUMBERS
from .inputs import PURCHASE as PURCHASE
from .inputs import SEQUENCE_CHANNELS as SEQUENCE_CHANNELS
from .inputs import SEQUENCE_LENGTH as SEQUENCE_LENGTH
from .inputs import SESSION_TIMEOUT_S as SESSION_TIMEOUT_S
from .inputs import IntentInputs as IntentInputs
from .inputs import event_roles as event_roles
from .inputs import intent_inputs as intent_inputs
from .model import Intent as Intent
from .model import IntentModel as IntentModel
from .model import IntentSpec as IntentSpec
from .model import write_intent_spec as write_intent_spec
from .stage import Stage as Stage

__all__ = [
    "CART",
    "NUMBERS",
    "PURCHASE",
    "SEQUENCE_CHANNELS",
    "SEQUENCE_LENGTH",
    "SESSION_TIMEOUT_S",
    "Intent",
    "IntentInputs",
    "IntentModel",
    "IntentSpec",
    "ItemGroups",
    "Stage",
    "event_roles",
    "intent_inputs",
    "write_intent_spec",
]
