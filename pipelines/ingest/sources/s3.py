"""Parquet and CSV objects in S3 or a store that speaks its language. The one place that imports boto3."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pipelines.errors import IngestError
from pipelines.ingest.batch import Batch, Broken, Position
from pipelines.ingest.mapping import Mapping
from pipelines.ingest.sources.files import Files
from pipelines.settings import Settings


class S3Objects:
    """The tables in one object, or in all objects below a prefix.

    Objects that were written before the watermark, less the look-back, are not fetched again.

    Args:
        address: `s3://bucket/prefix`.
        settings: How the store is reached.
        shop: What the shop calls its tables and columns.
        known: When the newest object of the last ingest was written, in microseconds since 1970.
    """

    def __init__(self, address: str, settings: Settings, shop: Mapping, known: int | None) -> None:
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not bucket:
            raise IngestError(f"{address}: expected s3://bucket/prefix, received no bucket.")
        self._bucket, self._prefix = bucket, prefix.rstrip("/")
        self._settings, self._shop, self._known = settings, shop, known
        self._newest: int | None = None
        self._skipped: list[str] = []

    @property
    def name(self) -> str:
        """The address."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def read(self) -> Iterator[Batch | Broken]:
        """Every row of every object that is new since the last ingest."""
        with tempfile.TemporaryDirectory(prefix="aisle-s3-") as folder:
            root = Path(folder) / (PurePosixPath(self._prefix).name or self._bucket)
            try:
                fetched = self._fetch(root)
            except (ClientError, BotoCoreError) as error:
                raise IngestError(
                    f"{self.name}: expected objects that can be read, received: {error}. Check the address "
                    "and AISLE_S3_ENDPOINT_URL, AISLE_S3_REGION and the AISLE_S3_… keys."
                ) from error
            if not fetched:
                return
            files = Files(root, self._shop, lambda path: f"{self._base}{path.relative_to(root).as_posix()}")
            yield from files.read()
            self._skipped += files.skipped()

    def positions(self, newest_event_at: datetime | None) -> list[Position]:
        """When the newest object was written."""
        return [] if self._newest is None else [Position(self.name, "", self._newest)]

    def skipped(self) -> list[str]:
        """Objects of other kinds, and how many had not changed."""
        return self._skipped

    @property
    def _base(self) -> str:
        """What stands before the part of a key that is below the prefix."""
        return f"{self.name}/"

    def _fetch(self, root: Path) -> bool:
        """Download what is new below `root`; false when nothing is."""
        client = self._client()
        listed = [each for each in self._listed(client) if not each["Key"].endswith("/")]
        if not listed:
            raise IngestError(
                f"{self.name}: expected Parquet or CSV objects, received no object. Check bucket and prefix."
            )
        from_on = self._from_on()
        wanted = [each for each in listed if from_on is None or each["LastModified"] >= from_on]
        if len(wanted) < len(listed):
            self._skipped.append(
                f"{self.name}: {len(listed) - len(wanted)} objects not changed since {from_on}"
            )
        for each in wanted:
            below = self._below(each["Key"])
            # As files, `a//b` and `a/./b` would be the same as `a/b`: one object would replace the other.
            if {"", ".", ".."} & set(below.split("/")):
                raise IngestError(
                    f"s3://{self._bucket}/{each['Key']}: expected a key without empty parts, `.` and `..`, "
                    "which no file can be named after. Rename the object."
                )
            target = root / below
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(self._bucket, each["Key"], str(target))
            written_at = int(each["LastModified"].timestamp() * 1_000_000)
            self._newest = max(written_at, self._newest or 0)
        return bool(wanted)

    def _listed(self, client: Any) -> Iterator[dict[str, Any]]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for page in pages:
            for each in page.get("Contents", ()):
                if (
                    not self._prefix
                    or each["Key"] == self._prefix
                    or each["Key"].startswith(f"{self._prefix}/")
                ):
                    yield each

    def _below(self, key: str) -> str:
        """The part of a key below the prefix; the name alone when the key is the prefix."""
        if key == self._prefix:
            return PurePosixPath(key).name
        return key.removeprefix(f"{self._prefix}/") if self._prefix else key

    def _from_on(self) -> datetime | None:
        if self._known is None or self._shop.of("items").full:  # a full catalogue is all of its objects
            return None
        watermark = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._known)
        return watermark - timedelta(days=self._shop.look_back_days)

    def _client(self) -> Any:
        key, secret = self._settings.s3_access_key_id, self._settings.s3_secret_access_key
        return boto3.client(
            "s3",
            endpoint_url=self._settings.s3_endpoint_url,
            region_name=self._settings.s3_region,
            aws_access_key_id=None if key is None else key.get_secret_value(),
            aws_secret_access_key=None if secret is None else secret.get_secret_value(),
        )
