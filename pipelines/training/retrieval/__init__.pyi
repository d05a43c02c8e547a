from .batches import Batches as Batches
from .checkpoint import Checkpoint as Checkpoint
from .export import user_inputs as user_inputs
from .model import SequenceRetrieval as SequenceRetrieval
from .packed_sequences import PackedSequences as PackedSequences
from .source_weights import fit_source_weights as fit_source_weights
from .source_weights import recalls as recalls
from .train import begin as begin
from .warm_start import incompatibilities as incompatibilities
from .warm_start import leakage_reasons as leakage_reasons

__all__ = [
    "Batches",
    "Checkpoint",
    "PackedSequences",
    "SequenceRetrieval",
    "begin",
    "fit_source_weights",
    "incompatibilities",
    "leakage_reasons",
    "recalls",
    "user_inputs",
]
