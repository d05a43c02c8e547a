from .batches import Batches as Batches
from .checkpoint import Checkpoint as Checkpoint
from .export import SHORT_HISTORIES as SHORT_HISTORIES
from .export import user_inputs as user_inputs
from .model import QUERY_INPUTS as QUERY_INPUTS
from .model import SequenceRetrieval as SequenceRetrieval
from .packed_sequences import PackedSequences as PackedSequences
from .query_tower import QueryEncoder as QueryEncoder
from .source_weights import fit_source_weights as fit_source_weights
from .source_weights import recalls as recalls
from .train import begin as begin
from .warm_start import incompatibilities as incompatibilities
from .warm_start import leakage_reasons as leakage_reasons

__all__ = [
    "QUERY_INPUTS",
    "SHORT_HISTORIES",
    "Batches",
    "Checkpoint",
    "PackedSequences",
    "QueryEncoder",
    "SequenceRetrieval",
    "begin",
    "fit_source_weights",
    "incompatibilities",
    "leakage_reasons",
    "recalls",
    "user_inputs",
]
