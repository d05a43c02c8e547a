"""Where serving finds things and how it listens: its settings, read from `AISLE_SERVING_…` variables.

Loaded by a call when the process starts, never at import.
"""

import ipaddress
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from serving.credentials import secrets_from_files
from serving.errors import ConfigurationError

SECRETS = ("api_key", "tracking_uri", "feast_registry", "redis_url")
"""Settings that hold credentials: never shown, and read from a file that `AISLE_SERVING_…_FILE` names."""

LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


class ServingSettings(BaseSettings):
    """Where serving finds things and how it listens."""

    model_config = SettingsConfigDict(env_prefix="AISLE_SERVING_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    """Address to listen on; beyond this machine only together with an API key."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 lets the system choose a free one."""

    api_key: SecretStr | None = None
    """Key that callers of `/v1` and `/metrics` send as `Authorization: Bearer …`; unset, anybody on this
    machine may call."""

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Names besides the loopback ones by which this process may be called, separated by commas."""

    home: Path = Path("var")
    """Folder that serving shares with the pipelines on one machine: event log, public key, Feast files."""

    cache: Path | None = None
    """Folder of downloaded releases, named by their content; unset, `<home>/serving/releases`."""

    tracking_uri: SecretStr | None = None
    """MLflow server that holds the registry; unset, the SQLite file under `home`."""

    model_name: str = "aisle-recommender"
    """Name of the registered model whose alias `champion` is followed."""

    public_keys: Annotated[tuple[Path, ...], NoDecode] = ()
    """Files with the public keys of which one must have signed a release, or folders of which every
    `release*.pub` counts, separated by commas; unset, `<home>/keys`."""

    require_approval: bool = False
    """Whether a champion needs an approval signed by `aisle release promote` or `approve`; else the
    alias alone is enough. A release that the gate refused always needs a signed override."""

    poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 2.0
    """Seconds between two looks at alias `champion`."""

    registry_timeout_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    """Seconds after which a silent registry counts as unreachable."""

    event_log: Path | None = None
    """Folder of the segments that hold acknowledged events; unset, `<home>/events`."""

    event_types: Annotated[tuple[str, ...], NoDecode] = (
        "impression",
        "search",
        "view",
        "cart",
        "purchase",
        "rating",
    )
    """Event types that the shop sends, separated by commas."""

    live_events_per_user: Annotated[int, Field(ge=1, le=4096)] = 256
    """Newest events of a user that are kept in memory, on top of the history in the feature store."""

    live_users: Annotated[int, Field(ge=1)] = 200_000
    """Users whose newest events are kept in memory; beyond it the longest silent one is let go."""

    feast_registry: SecretStr | None = None
    """Address of the Feast registry; unset, `<home>/feast/registry.db`."""

    feast_project: str = "aisle"
    """Name of the Feast project that holds the feature views."""

    online_store: Path | None = None
    """SQLite file of Feast's online store; unset, `<home>/feast/online.db`."""

    redis_url: SecretStr | None = None
    """Redis as Feast's online store, such as `redis://127.0.0.1:6379/0`; unset, the SQLite file."""

    features_timeout_s: Annotated[float, Field(gt=0, le=60)] = 0.5
    """Seconds that a request waits for the online store before it goes on without a user's features."""

    clock_start_at: AwareDatetime | None = None
    """Instant at which the shop's clock starts with the process, for replayed data; unset, the machine's
    clock."""

    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processes that answer behind the one address; unset, one for each core."""

    worker_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads of each process that compute lists."""

    max_waiting: Annotated[int, Field(ge=1)] = 64
    """Requests for lists that may wait for a thread of a process; the next ones are told to come back."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024
    """Largest request body that is read."""

    storefront: bool = True
    """Whether the storefront page is served."""

    shoppers: Path | None = None
    """JSON file with the shoppers that the storefront offers; unset, `<home>/serving/shoppers.json`."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """ISO 4217 code of the currency in which the storefront shows prices."""

    shop_name: Annotated[str, Field(min_length=1, max_length=60)] = "Aisle"
    """Name of the shop on the storefront."""

    log_level: Annotated[str, Field(pattern=r"^(debug|info|warning|error)$")] = "info"
    """Least severe messages that are logged."""

    @field_validator("allowed_hosts", "event_types", "public_keys", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("clock_start_at")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    @property
    def release_cache(self) -> Path:
        """Folder of downloaded releases."""
        return self.cache or self.home / "serving" / "releases"

    @property
    def release_keys(self) -> tuple[Path, ...]:
        """Files or folders with the public keys of which one must have signed a release."""
        return self.public_keys or (self.home / "keys",)

    @property
    def event_folder(self) -> Path:
        """Folder of the segments that hold acknowledged events."""
        return self.event_log or self.home / "events"

    @property
    def shoppers_file(self) -> Path:
        """JSON file with the shoppers that the storefront offers."""
        return self.shoppers or self.home / "serving" / "shoppers.json"

    @property
    def mlflow_uri(self) -> str:
        """Address of the MLflow server, or of its SQLite database."""
        if self.tracking_uri is not None:
            return self.tracking_uri.get_secret_value()
        return f"sqlite:///{(self.home / 'mlflow' / 'mlflow.db').resolve()}"


def is_loopback(host: str) -> bool:
    """Whether listening on `host` can be reached from this machine only."""
    if host.lower() in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(settings: ServingSettings) -> None:
    """Refuse settings that would open shoppers' data to the network without a key.

    Raises:
        ConfigurationError: The host is not a loopback address and there is no API key.
    """
    if settings.api_key is not None and len(settings.api_key.get_secret_value()) < 16:
        raise ConfigurationError(
            "AISLE_SERVING_API_KEY: expected at least 16 characters, received "
            f"{len(settings.api_key.get_secret_value())}. Make one with: python -c "
            "'import secrets; print(secrets.token_urlsafe(32))'"
        )
    if settings.api_key is None and not is_loopback(settings.host):
        raise ConfigurationError(
            f"AISLE_SERVING_HOST: expected a loopback address such as 127.0.0.1, received {settings.host!r}, "
            "and AISLE_SERVING_API_KEY is not set: anybody who reaches the port could read shoppers' data. "
            "Set AISLE_SERVING_API_KEY, or listen on 127.0.0.1."
        )


def load_settings() -> ServingSettings:
    """Read the settings from the environment, now; a secret also from the file that `…_FILE` names.

    Raises:
        ConfigurationError: Such a file cannot be read.
    """
    return ServingSettings(**secrets_from_files("AISLE_SERVING_", SECRETS, os.environ))  # type: ignore[arg-type]
