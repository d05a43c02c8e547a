from .examples import IntentExamples as IntentExamples
from .examples import intent_examples as intent_examples
from .export import export_intent as export_intent
from .release_step import fit_intent as fit_intent
from .train import TrainedIntent as TrainedIntent
from .train import train_intent as train_intent

__all__ = [
    "IntentExamples",
    "TrainedIntent",
    "export_intent",
    "fit_intent",
    "intent_examples",
    "train_intent",
]
