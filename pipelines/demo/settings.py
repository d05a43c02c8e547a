"""Settings of the demo, read from `AISLE_DEMO_…` environment variables."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class DemoSettings(BaseSettings):
    """Where the demo keeps its things, and at which ports it listens on loopback."""

    model_config = SettingsConfigDict(env_prefix="AISLE_DEMO_", extra="ignore", frozen=True)

    home: Path = Path("var/demo")
    """Folder of everything the demo writes."""

    storefront_port: int = Field(default=8000, ge=1, le=65535)
    """Port of the serving process; another one is chosen where it is taken."""

    airflow_port: int = Field(default=8080, ge=1, le=65535)
    """Port of Airflow; another one is chosen where it is taken."""

    mlflow_port: int = Field(default=5000, ge=1, le=65535)
    """Port of MLflow; another one is chosen where it is taken."""

    feast_port: int = Field(default=8888, ge=1, le=65535)
    """Port of Feast's UI; another one is chosen where it is taken."""

    limit_minutes: float = Field(default=60, gt=0)
    """How long the DAG runs may take together before the demo gives up."""


def load_demo_settings() -> DemoSettings:
    """Read the settings from the environment, now."""
    return DemoSettings()
