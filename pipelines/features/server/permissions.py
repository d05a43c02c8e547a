"""The registry's permissions, held to those that the code declares."""

from collections.abc import Sequence

from feast.permissions.permission import Permission

from pipelines.errors import FeatureError
from pipelines.features.registry.declarations import declarations


def check_permissions(stored: Sequence[Permission]) -> None:
    """Make sure that the registry says what `feature_repo/permissions.py` declares.

    Raises:
        FeatureError: A permission is missing, added or changed.
    """
    if not stored:
        raise FeatureError("expected permissions in the registry, received none: run `aisle features apply`")
    expected = {one.name: _content(one) for one in declarations().permissions}
    received = {one.name: _content(one) for one in stored}
    differing = sorted(name for name in {*expected, *received} if expected.get(name) != received.get(name))
    if differing:
        raise FeatureError(
            "expected the registry to hold the permissions that feature_repo/permissions.py declares, "
            f"received others: {', '.join(differing)}. If the declarations were edited, run `aisle features "
            "apply`; if not, find out who writes to the registry, and apply the declarations again"
        )


def _content(permission: Permission) -> bytes:
    """What a permission says, without where and when it was stored."""
    spec = permission.to_proto().spec
    spec.project = ""
    content: bytes = spec.SerializeToString(deterministic=True)
    return content
