"""The services of the demo, and the environment that makes them one platform."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pipelines
from infra.local import components
from infra.local.airflow import Airflow
from infra.local.airflow_api import AirflowApi
from infra.local.ports import LOOPBACK, choose_port
from infra.local.stack import Stack
from pipelines.demo.settings import DemoSettings
from pipelines.runtime import Console

ROOT = Path(pipelines.__file__).resolve().parent.parent
FEATURE_REPOSITORY = ROOT / "feature_repo"


@dataclass(frozen=True)
class Addresses:
    """Where the demo's services listen."""

    storefront_port: int
    airflow_port: int
    mlflow_port: int
    feast_port: int

    @classmethod
    def choose(cls, settings: DemoSettings) -> "Addresses":
        """The ports of the settings, each replaced by a free one where it is taken."""
        chosen: list[int] = []
        for preferred in (
            settings.storefront_port,
            settings.airflow_port,
            settings.mlflow_port,
            settings.feast_port,
        ):
            chosen.append(choose_port(preferred, chosen))
        return cls(*chosen)

    @property
    def storefront(self) -> str:
        """Address of the storefront and of serving's API."""
        return f"http://{LOOPBACK}:{self.storefront_port}"

    @property
    def mlflow(self) -> str:
        """Address of MLflow."""
        return f"http://{LOOPBACK}:{self.mlflow_port}"

    @property
    def feast(self) -> str:
        """Address of Feast's UI."""
        return f"http://{LOOPBACK}:{self.feast_port}"


class Platform:
    """The running demo: its stack of services and where they are."""

    def __init__(
        self, stack: Stack, addresses: Addresses, airflow: Airflow, pipeline: dict[str, str]
    ) -> None:
        self.stack = stack
        self.addresses = addresses
        self.airflow = airflow
        self.home = stack.home
        self._pipeline = pipeline

    def start_orchestration(self, console: Console) -> None:
        """Start MLflow and Airflow, and wait until both are healthy."""
        with console.step("Start MLflow and Airflow (API server, scheduler, DAG processor)"):
            self.stack.start(
                components.mlflow(self.home / "mlflow", self.addresses.mlflow_port, self._pipeline)
            )
            self.airflow.prepare(self._pipeline)
            self.stack.start(*self.airflow.services(self._pipeline))
            self.stack.wait_until_healthy()

    def start_serving(self, clock_start_at: datetime) -> None:
        """Start the serving process with the shop's clock at that instant, without waiting."""
        environment = {
            "AISLE_SERVING_HOME": str(self.home),
            "AISLE_SERVING_TRACKING_URI": self.addresses.mlflow,
            "AISLE_SERVING_CLOCK_START_AT": clock_start_at.isoformat(),
        }
        self.stack.start(components.serving(self.addresses.storefront_port, environment))

    def start_feast_ui(self) -> None:
        """Start Feast's UI, without waiting."""
        self.stack.start(components.feast_ui(self.addresses.feast_port, self._pipeline))


@contextmanager
def platform(settings: DemoSettings, *, training_budget: str) -> Iterator[Platform]:
    """The demo's platform, nothing started yet; leaving ends every process of it."""
    addresses = Addresses.choose(settings)
    home = settings.home.resolve()
    pipeline = {
        "AISLE_HOME": str(home),
        "AISLE_LAKE_URI": str(home / "lake"),
        "AISLE_TRACKING_URI": addresses.mlflow,
        "AISLE_TRAINING_BUDGET": training_budget,
        # The gate alone decides about the first release; later ones wait for a person.
        "AISLE_PROMOTION_POLICY": "first",
    }
    airflow = Airflow(home / "airflow", addresses.airflow_port, ROOT / "dags")
    with Stack(home) as stack:
        yield Platform(stack, addresses, airflow, pipeline)


def airflow_api(running: Platform) -> AirflowApi:
    """A client of the platform's Airflow."""
    return AirflowApi(running.airflow)
