from .build_record import BUILD_TABLE as BUILD_TABLE
from .build_record import last_build as last_build
from .build_record import remember_build as remember_build
from .build_record import tables_of as tables_of
from .declarations import declared_views as declared_views
from .declarations import lake_schema_of as lake_schema_of
from .declarations import lake_table_of as lake_table_of
from .declarations import source_of as source_of
from .diff import Change as Change
from .diff import Repository as Repository
from .diff import applied_repository as applied_repository
from .diff import broken_services as broken_services
from .diff import changes_between as changes_between
from .diff import declared_repository as declared_repository
from .feast import apply as apply
from .feast import feast_talks_to_people as feast_talks_to_people
from .feast import online_store_answers as online_store_answers
from .feast import open_store as open_store
from .write_lock import registry_write_lock as registry_write_lock

__all__ = [
    "BUILD_TABLE",
    "Change",
    "Repository",
    "applied_repository",
    "apply",
    "broken_services",
    "changes_between",
    "declared_repository",
    "declared_views",
    "feast_talks_to_people",
    "lake_schema_of",
    "lake_table_of",
    "last_build",
    "online_store_answers",
    "open_store",
    "registry_write_lock",
    "remember_build",
    "source_of",
    "tables_of",
]
