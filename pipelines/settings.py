"""Where things are: the settings of the pipelines, read from `AISLE_…` variables.

Loaded by a call inside a task or a command, never at import. How models are trained is not here, but in the
frozen configuration beside each model.
"""

import os
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.errors import WrongUsageError
from serving.credentials import secrets_from_files
from serving.errors import ConfigurationError

DUCKDB_MEMORY = "30%"
"""What DuckDB may hold while it computes features, unless it is set: a share of the machine's memory."""


class Settings(BaseSettings):
    """Where the pipelines find and put things."""

    model_config = SettingsConfigDict(env_prefix="AISLE_", extra="ignore", frozen=True)

    home: Path = Path("var")
    """Folder of everything that a run writes on this machine; created on first use."""

    lake_uri: str | None = None
    """Root of the Delta tables, a path or an `s3://` address; unset, `<home>/lake`."""

    shop_source: SecretStr | None = None
    """What the scheduled ingest takes in: a file or folder, `mysql://…`, `s3://…` or `complete-journey`."""

    shop_mapping: Path | None = None
    """YAML file with the shop's names of tables and columns, for the scheduled ingest."""

    ingest_max_refused_share: float = Field(default=0.05, ge=0, le=1)
    """Share of a table's rows that an ingest may quarantine; it fails beyond it, once the next setting is
    passed as well. It always fails where every row of a table or a source was quarantined. The same share
    holds for unreadable values of an optional column."""

    ingest_max_refused_rows: int = Field(default=20, ge=0)
    """Rows of a table that an ingest may quarantine, whatever their share."""

    feature_repo: Path = Path(__file__).resolve().parent.parent / "feature_repo"
    """Folder with the Feast declarations and `feature_store.yaml`."""

    engine: Literal["duckdb", "spark"] = "duckdb"
    """What computes features: DuckDB in the process itself, or Spark; see `docs/spark.md`."""

    duckdb_memory: str = DUCKDB_MEMORY
    """What DuckDB may hold in memory while it computes features, a size or a share of the machine's; most of
    what goes beyond is spilled to disk. Python and Arrow come on top."""

    spark_master: str = "local[2]"
    """Where Spark computes: `local[N]` on this machine, a cluster (`spark://…`, `yarn`, `k8s://…`), or a
    Spark Connect server (`sc://host:15002`)."""

    spark_memory: str = "2g"
    """Memory of Spark's driver, which with `local[N]` is all there is."""

    spark_partitions: int | None = Field(default=None, ge=1)
    """Parts into which Spark splits what it sorts and joins; unset, Spark's own 200."""

    spark_scratch: Path | None = None
    """Folder that Spark's workers and this machine share, for what is computed once; unset, a temporary one
    of this machine, which only `local[N]` can use."""

    redis_url: SecretStr | None = None
    """Redis as online store, such as `redis://127.0.0.1:6379/0`; unset, a SQLite file under `home`."""

    feast_registry_uri: SecretStr | None = None
    """PostgreSQL as Feast's registry, such as `postgresql://user:password@host/database`; unset, a file under
    `home`, which takes one writer at a time."""

    feature_oidc_url: str | None = None
    """Discovery address of the identity provider whose tokens the feature server takes; unset, it takes the
    keys made by `aisle features key add`."""

    feature_oidc_audience: str | None = None
    """Audience that these tokens must be made for, and the client whose roles they carry."""

    tracking_uri: SecretStr | None = None
    """MLflow tracking server; unset, a SQLite file under `home`."""

    experiment: str = "aisle"
    """Name of the MLflow experiment that holds the runs."""

    model_name: str = "aisle-recommender"
    """Name of the registered model in MLflow."""

    promotion_policy: Literal["manual", "first", "auto"] = "manual"
    """Who moves alias `champion`: a person (`manual`), the gate as soon as a release passes it (`auto`), or
    the gate while there is no champion and a person from then on (`first`)."""

    training_budget: Literal["full", "demo", "short"] = "full"
    """How long training may take: `demo` minutes on two cores, `short` even less; a shop wants `full`."""

    warm_start: bool = False
    """Whether retrieval's training goes on from the last champion's weights where they fit, with fewer steps,
    instead of starting from nothing."""

    s3_endpoint_url: str | None = None
    """Address of an S3-compatible store when it is not Amazon's."""

    s3_access_key_id: SecretStr | None = Field(default=None)
    """Access key of the S3 store; unset, boto3's own search for credentials is used."""

    s3_secret_access_key: SecretStr | None = Field(default=None)
    """Secret key of the S3 store; unset, boto3's own search for credentials is used."""

    s3_region: str = "us-east-1"
    """Region of the S3 store."""

    @property
    def lake_root(self) -> str:
        """Root of the Delta tables."""
        return self.lake_uri or str(self.home / "lake")

    @property
    def mlflow_uri(self) -> str:
        """Address of the MLflow tracking server or its SQLite database."""
        if self.tracking_uri is not None:
            return self.tracking_uri.get_secret_value()
        return f"sqlite:///{(self.home / 'mlflow' / 'mlflow.db').resolve()}"

    @property
    def event_log(self) -> Path:
        """Folder where serving keeps acknowledged events until they are ingested."""
        return self.home / "events"

    @property
    def keys(self) -> Path:
        """Folder of the keys that sign releases."""
        return self.home / "keys"

    @property
    def workdir(self) -> Path:
        """Folder where releases are put together, one folder for each `as_of`."""
        return self.home / "work"

    def as_environment(self) -> dict[str, str]:
        """The variables by which a process of its own gets these settings; what is unset is left out."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            f"AISLE_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if value is not None
        }


def load_settings() -> Settings:
    """Read the settings from the environment, now; a secret also from the file that `…_FILE` names.

    Raises:
        WrongUsageError: Such a file cannot be read.
    """
    secrets = [name for name, kind in Settings.model_fields.items() if SecretStr in get_args(kind.annotation)]
    try:
        return Settings(**secrets_from_files("AISLE_", secrets, os.environ))  # type: ignore[arg-type]
    except ConfigurationError as error:
        raise WrongUsageError(str(error)) from error
