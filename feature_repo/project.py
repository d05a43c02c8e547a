"""The project under which Feast keeps everything that is declared here."""

from feast import Project

from feature_repo.entities import OWNER

aisle = Project(
    name="aisle",
    description="Features for search and recommendations in an online shop.",
    tags={"domain": "recommendations"},
    owner=OWNER,
)
