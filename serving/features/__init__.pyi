from .fast_import import typeguard_disabled as typeguard_disabled
from .user_features import UserFeatures as UserFeatures
from .user_features import UserRow as UserRow

__all__ = [
    "UserFeatures",
    "UserRow",
    "typeguard_disabled",
]
