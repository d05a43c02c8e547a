"""Sources: the lake's feature tables. A path is the table's name; the offline store finds it in the lake."""

from feast import FileSource
from feast.data_format import DeltaFormat

from feature_repo.entities import OWNER

KNOWN_AT = "known_at"
"""Column of every feature table: the instant from which its values were known."""


def lake_table(view: str, description: str) -> FileSource:
    """The lake table behind a feature view: `features_<view>`."""
    return FileSource(
        name=f"lake_{view}",
        path=f"features_{view}",
        file_format=DeltaFormat(),
        timestamp_field=KNOWN_AT,
        description=description,
        tags={"grain": "one row for each change"},
        owner=OWNER,
    )


user_activity_source = lake_table("user_activity", "Counts, spend and habits of users over moving windows.")
user_history_source = lake_table("user_history", "The last events of each user, day by day.")
user_profile_source = lake_table("user_profile", "What users said of themselves.")
user_affinity_source = lake_table("user_affinity", "Strongest categories and brands of users, week by week.")
user_category_source = lake_table("user_category", "What users did in each category.")
item_activity_source = lake_table("item_activity", "Popularity, conversion and price of items over windows.")
item_profile_source = lake_table("item_profile", "What the catalogue says of items.")
item_pairs_source = lake_table("item_pairs", "Items bought together in one basket.")
