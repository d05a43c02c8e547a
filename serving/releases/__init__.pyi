from .cache import ReleaseCache as ReleaseCache
from .follower import Refusal as Refusal
from .follower import RegistryState as RegistryState
from .follower import Release as Release
from .follower import ReleaseObserver as ReleaseObserver
from .follower import Releases as Releases
from .follower import facts_of as facts_of
from .leadership import Leadership as Leadership
from .registry import Registry as Registry

__all__ = [
    "Leadership",
    "Refusal",
    "Registry",
    "RegistryState",
    "Release",
    "ReleaseCache",
    "ReleaseObserver",
    "Releases",
    "facts_of",
]
