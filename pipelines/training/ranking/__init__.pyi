from .dataset import ranking_rows as ranking_rows
from .features import signals as signals
from .model import NETWORK_INPUTS as NETWORK_INPUTS
from .model import RankingNetwork as RankingNetwork
from .model import sigmoid as sigmoid
from .train import network_inputs as network_inputs
from .train import predict as predict

__all__ = [
    "NETWORK_INPUTS",
    "RankingNetwork",
    "network_inputs",
    "predict",
    "ranking_rows",
    "sigmoid",
    "signals",
]
