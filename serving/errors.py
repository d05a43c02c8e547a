"""Every error that serving raises on purpose.

A message says what was expected, what was received and what to do. Exceptions of the libraries below are
translated once, in the module that is the door to that library, with ``raise … from``.
"""


class ServingError(Exception):
    """Base of every error that serving raises on purpose."""


class ConfigurationError(ServingError):
    """The settings cannot be right together; the process does not start."""


class BundleError(ServingError):
    """A release bundle is incomplete, altered, unsigned or of another format."""


class RegistryError(ServingError):
    """The model registry cannot be reached, or refused a request."""


class ReleaseRefusedError(ServingError):
    """The champion may not be served; the message is the reason that a person reads."""


class FeatureLookupError(ServingError):
    """The online feature store cannot be opened or read."""


class EventLogError(ServingError):
    """Events could not be made durable; the caller was told to send them again."""


class OverloadedError(ServingError):
    """More requests are waiting than can be answered in time."""


class NoReleaseError(ServingError):
    """There is no release to answer from, and nothing else that would be honest."""


class UnknownItemError(ServingError):
    """The served release has no item of that id."""
