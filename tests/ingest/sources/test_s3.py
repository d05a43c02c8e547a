"""Objects in a store that speaks S3, over a real connection."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from pydantic import SecretStr

from pipelines.errors import IngestError
from pipelines.ingest.mapping import Mapping
from pipelines.ingest.run import ingest
from pipelines.ingest.sources.s3 import S3Objects
from pipelines.lake import open_lake
from pipelines.settings import Settings

NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path, s3_endpoint: str) -> Settings:
    return Settings(
        home=tmp_path / "home",
        s3_endpoint_url=s3_endpoint,
        s3_access_key_id=SecretStr("key"),
        s3_secret_access_key=SecretStr("secret"),
    )


@pytest.fixture
def bucket(s3_endpoint: str) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    name = f"shop-{uuid4().hex[:8]}"
    client.create_bucket(Bucket=name)

    class Bucket:
        address = f"s3://{name}"

        def put(self, key: str, content: bytes | Path) -> None:
            body = content.read_bytes() if isinstance(content, Path) else content
            client.put_object(Bucket=name, Key=key, Body=body)

    yield Bucket()
    client.close()


def test_the_objects_below_a_prefix_are_taken_in_once(bucket: Any, store: Settings, tiny_shop: Path):
    for file in tiny_shop.iterdir():
        bucket.put(f"daily/2024/{file.name}", file)
    bucket.put("daily/notes.md", b"read me")
    bucket.put("daily-other/events.csv", b"not below the prefix")
    report = ingest(f"{bucket.address}/daily", store, now=NOW)
    assert (report.tables["items"].accepted, report.tables["users"].accepted) == (80, 60)
    assert report.skipped == (f"{bucket.address}/daily/notes.md",)
    before = open_lake(store).versions()
    again = ingest(f"{bucket.address}/daily/", store, now=NOW)
    assert again.accepted == 0
    assert again.duplicates == report.accepted
    assert open_lake(store).versions() == before


def test_one_object_is_taken_in_by_its_key(bucket: Any, store: Settings):
    bucket.put("a/users.csv", b"user_id\n1\n")
    bucket.put("a/users.csv.old", b"user_id\n2\n")
    assert ingest(f"{bucket.address}/a/users.csv", store, now=NOW).accepted == 1


def test_a_whole_bucket_is_taken_in(bucket: Any, store: Settings):
    bucket.put("users.csv", b"user_id\n1\n")
    assert ingest(bucket.address, store, now=NOW).accepted == 1


def test_a_bad_object_is_named_by_its_address(bucket: Any, store: Settings):
    bucket.put("a/users.csv", b"user_id\n1\n")
    bucket.put("a/events.csv", b"user_id\n1\n")
    with pytest.raises(IngestError, match=rf"{bucket.address}/a/events\.csv: missing column event_at"):
        ingest(f"{bucket.address}/a", store, now=NOW)
    assert open_lake(store).versions() == {}


@pytest.mark.parametrize(
    "key", ["shop/a//events.csv", "shop/./events.csv", "shop/../events.csv", "shop//events.csv"]
)
def test_a_key_that_no_file_can_be_named_after_is_refused(bucket: Any, store: Settings, key: str):
    content = b"event_id,event_at,user_id,event_type,item_id\n1,2024-05-01T00:00:00Z,u,view,i\n"
    bucket.put("shop/events.csv", content)
    bucket.put(key, content)
    with pytest.raises(IngestError, match="expected a key without empty parts"):
        ingest(f"{bucket.address}/shop", store, now=NOW)


def test_objects_older_than_the_look_back_are_not_fetched_again(bucket: Any, store: Settings):
    bucket.put("users.csv", b"user_id\n1\n")
    long_after = (datetime.now(UTC) + timedelta(days=8) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    source = S3Objects(bucket.address, store, Mapping(), long_after)
    assert list(source.read()) == []
    assert source.skipped()[0].startswith(f"{bucket.address}: 1 objects not changed since ")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("s3://no-such-bucket/x", "NoSuchBucket"),
        ("s3://", "received no bucket"),
        ("{bucket}/nothing-here", "received no object"),
    ],
)
def test_what_is_not_there_is_one_clear_error(bucket: Any, store: Settings, address: str, says: str):
    with pytest.raises(IngestError, match=says):
        ingest(address.format(bucket=bucket.address), store, now=NOW)


def test_a_store_that_is_not_there_is_one_clear_error(store: Settings):
    away = store.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:1"})
    with pytest.raises(IngestError, match="AISLE_S3_ENDPOINT_URL"):
        ingest("s3://shop/x", away, now=NOW)


def test_the_lake_itself_may_lie_in_the_store(bucket: Any, store: Settings, tmp_path: Path):
    there = store.model_copy(update={"lake_uri": f"{bucket.address}/lake"})
    file = tmp_path / "users.csv"
    file.write_text("user_id\n1\n2\n", encoding="utf-8")
    assert ingest(file, there, now=NOW).accepted == 2
    assert ingest(file, there, now=NOW).duplicates == 2
    assert sorted(open_lake(there).read("users")["user_id"].to_pylist()) == ["1", "2"]
