from .dataset import ranking_rows as ranking_rows
from .model import sigmoid as sigmoid
from .train import network_inputs as network_inputs
from .train import predict as predict

__all__ = [
    "network_inputs",
    "predict",
    "ranking_rows",
    "sigmoid",
]
