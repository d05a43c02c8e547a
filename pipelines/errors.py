"""Every error that the pipelines raise on purpose.

A message says what was expected, what was received and what to do. Exceptions of the libraries below are
translated once, in the module that is the door to that library, with ``raise … from``.
"""


class AisleError(Exception):
    """Base of every error that the pipelines raise on purpose."""


class WrongUsageError(AisleError):
    """A command or a function was called with arguments that cannot be right; exit code 2."""


class LakeError(AisleError):
    """A lake table is missing, or is not what its contract says."""


class IngestError(AisleError):
    """A source as a whole cannot be taken in; the lake is untouched."""


class RefusedRowsError(IngestError):
    """Too many rows of a source broke their contract; the good ones are stored, the others in quarantine."""


class FeatureError(AisleError):
    """Features could not be built, joined, materialized or looked up."""


class EvaluationError(AisleError):
    """An evaluation has nothing to measure, or was given parts that do not fit together."""


class TrainingError(AisleError):
    """A model could not be trained or exported."""


class BacktestError(AisleError):
    """A data set cannot be backtested as asked, or a backtest saw what lies after its cutoff."""


class ReleaseError(AisleError):
    """A release could not be assembled, signed, registered, promoted or rolled back."""


class TrackingError(AisleError):
    """The MLflow tracking server cannot be reached or refused a request."""


class ProcessError(AisleError):
    """A step that ran in a process of its own failed or ran past its limit."""


class DemoError(AisleError):
    """The demo could not bring its release to the shoppers."""
