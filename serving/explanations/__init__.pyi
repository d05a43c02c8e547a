from .describe import Recommendation as Recommendation
from .describe import recommend as recommend
from .explainer import Anchor as Anchor
from .explainer import Explainer as Explainer
from .messages import MESSAGES as MESSAGES
from .messages import sentence as sentence
from .reasons import Reason as Reason

__all__ = [
    "MESSAGES",
    "Anchor",
    "Explainer",
    "Reason",
    "Recommendation",
    "recommend",
    "sentence",
]
