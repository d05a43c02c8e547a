"""Who may do what at the feature server: other teams read `shared_v1`, only the pipelines write.

Feast judges by the roles that a caller's key or token carries, wherever it runs as a server. Whoever opens
the stores themselves, on the machine of the pipelines, is not judged.
"""

from feast import FeatureService, FeatureView
from feast.feast_object import ALL_RESOURCE_TYPES
from feast.permissions.action import ALL_ACTIONS, AuthzedAction
from feast.permissions.permission import Permission
from feast.permissions.policy import RoleBasedPolicy

from feature_repo.services import shared_v1

READER = "features-reader"
"""Role of another team: reads what is shared."""

WRITER = "features-writer"
"""Role of the pipelines: reads and writes everything."""

READING = [AuthzedAction.DESCRIBE, AuthzedAction.READ_ONLINE, AuthzedAction.READ_OFFLINE]

teams_read_shared_v1 = Permission(
    name="teams_read_shared_v1",
    types=[FeatureService],  # type: ignore[list-item]  # Feast means the class
    name_patterns=[shared_v1.name],
    actions=READING,
    policy=RoleBasedPolicy(roles=[READER]),
    tags={"for": "other teams"},
)

teams_read_shared_views = Permission(
    name="teams_read_shared_views",
    types=[FeatureView],  # type: ignore[list-item]  # Feast means the class
    name_patterns=[view.name for view in shared_v1.feature_view_projections],
    actions=READING,
    policy=RoleBasedPolicy(roles=[READER]),
    tags={"for": "other teams"},
)

pipelines_do_everything = Permission(
    name="pipelines_do_everything",
    types=ALL_RESOURCE_TYPES,
    actions=ALL_ACTIONS,
    policy=RoleBasedPolicy(roles=[WRITER]),
    tags={"for": "the pipelines"},
)
