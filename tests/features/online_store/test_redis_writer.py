"""Redis as online store: the values of SQLite's, whole for each entity, back after Redis was gone."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
import redis

from feature_repo.permissions import READER
from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.online_store import redis_writer
from pipelines.features.online_store.lookup import get_online
from pipelines.features.online_store.materialize import EVER, newest_known
from pipelines.features.online_store.sqlite_writer import one_generation
from pipelines.features.parity.verify import verify
from pipelines.features.registry.declarations import declared_views
from pipelines.features.registry.feast import feast_talks_to_people
from pipelines.features.registry.feast_environment import feast_environment
from pipelines.features.server.app import team_keys
from pipelines.settings import Settings
from tests.features.conftest import AS_OF
from tests.features.databases import OwnRedis, own_redis
from tests.features.serving_features import feature_server

USERS = [f"u{number:02}" for number in range(1, 61)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with own_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def home(built_home: Settings, server: OwnRedis, tmp_path) -> Settings:
    """A home on the built feature tables, whose online store is an empty Redis."""
    with server.client() as client:
        client.flushall()
    settings = Settings(home=tmp_path, lake_uri=built_home.lake_root, redis_url=server.url)
    store.apply(settings)
    return settings


def refs(key: str = "user_id") -> list[str]:
    return [
        f"{view.name}:{one.name}"
        for view in declared_views().values()
        if view.online and view.entity_columns[0].name == key
        for one in view.features
    ]


def answers(settings: Settings, key: str, ids: list[str]) -> dict[str, Any]:
    """Values, statuses and instants of all features of these entities."""
    found = store.open_store(settings).get_online_features(
        refs(key), [{key: one} for one in ids], full_feature_names=True
    )
    names = found.proto.metadata.feature_names.val
    return {
        name: (
            [value.SerializeToString() for value in result.values],
            list(result.statuses),
            [stamp.ToMicroseconds() for stamp in result.event_timestamps],
        )
        for name, result in zip(names, found.proto.results, strict=True)
    }


def everything(server: OwnRedis) -> dict[bytes, dict[bytes, bytes]]:
    with server.client() as client:
        return {key: client.hgetall(key) for key in sorted(client.scan_iter())}


def test_it_answers_what_sqlite_answers_bit_for_bit(home: Settings, built_home: Settings):
    written = store.materialize(home)
    assert written.views["item_profile"] == 80
    for key, ids in (
        ("user_id", [*USERS, "stranger"]),
        ("item_id", [f"i{number:02}" for number in range(1, 81)]),
    ):
        by_redis, by_sqlite = answers(home, key, ids), answers(built_home, key, ids)
        assert len(by_redis) > 25
        assert by_redis == by_sqlite
    by_redis, by_sqlite = store.get_online(home, user_id="u05"), store.get_online(built_home, user_id="u05")
    assert by_redis["known_at"] == by_sqlite["known_at"]
    assert by_redis["features"] == by_sqlite["features"]
    assert store.get_online(home, user_id="stranger")["found"] is False


@pytest.mark.parametrize("rows_at_once", [1, 23, 8_000])
def test_the_bulk_writer_writes_what_feast_itself_would(
    home: Settings, server: OwnRedis, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
):
    monkeypatch.setattr(redis_writer, "ROWS_AT_ONCE", rows_at_once)
    store.materialize(home)
    ours = everything(server)
    with server.client() as client:
        client.flushall()
    feast = store.open_store(home)
    with feast_talks_to_people():
        feast.materialize(
            EVER, AS_OF, feature_views=[view.name for view in declared_views().values() if view.online]
        )
    assert len(ours) > 100
    assert ours == everything(server)


def test_materializing_again_changes_nothing_and_a_corrected_value_is_written(
    home: Settings, server: OwnRedis
):
    store.materialize(home)
    before = everything(server)
    store.materialize(home)
    assert everything(server) == before
    corrected(home, "here")  # at the same instant
    assert store.get_online(home, user_id="u05")["features"]["user_profile"]["location"] == "here"


def corrected(home: Settings, location: str) -> None:
    feast = store.open_store(home)
    view = feast.get_feature_view("user_profile")
    rows = newest_known(feast, view, EVER, AS_OF)
    at = rows.column_names.index("location")
    told = [
        location if key == "u05" else one
        for key, one in zip(*(rows[name].to_pylist() for name in ("user_id", "location")), strict=True)
    ]
    with one_generation(feast) as write:
        write(view, rows.set_column(at, "location", pa.array(told, pa.string())), whole=False)


def test_whoever_is_no_longer_in_the_lake_leaves_redis_also_in_one_view_alone(home: Settings):
    store.materialize(home)
    feast = store.open_store(home)
    with one_generation(feast) as write:
        for view in feast.list_feature_views():
            if view.online and view.entity_columns[0].name == "user_id":
                gone = ["u05", "u06"] if view.name == "user_profile" else ["u06"]
                rows = newest_known(feast, view, EVER, AS_OF)
                kept = rows.filter(pa.array([key not in gone for key in rows["user_id"].to_pylist()]))
                write(view, kept, whole=True)
    left = store.get_online(home, user_id="u05")["known_at"]
    assert left["user_profile"] is None
    assert left["user_activity"] is not None
    assert store.get_online(home, user_id="u06")["found"] is False
    assert store.get_online(home, user_id="u07")["known_at"]["user_profile"] is not None
    assert store.get_online(home, item_id="i02")["found"] is True


def test_one_kind_of_entity_is_written_while_the_next_is_read_and_the_last_one_only_when_all_is(
    home: Settings, server: OwnRedis
):
    feast = store.open_store(home)
    views = {name: feast.get_feature_view(name) for name in ("item_activity", "item_profile", "user_profile")}
    rows = {name: newest_known(feast, view, EVER, AS_OF) for name, view in views.items()}

    def broken_off(late: str) -> None:
        with one_generation(feast) as write:
            for name in ("item_activity", "user_profile", late):
                write(views[name], rows[name], whole=True)
            limit = time.monotonic() + 30
            while len(everything(server)) < rows["item_activity"].num_rows and time.monotonic() < limit:
                time.sleep(0.01)
            raise FileNotFoundError("a file of the lake")

    with pytest.raises(FileNotFoundError, match="of the lake"):
        broken_off("user_profile")
    written = everything(server)
    assert len(written) == rows["item_activity"].num_rows
    assert not [key for key in written if b"user_id" in key]
    with pytest.raises(ValueError, match="one after the other, received item_profile late"):
        broken_off("item_profile")


def test_other_projects_in_the_same_redis_are_left_alone(home: Settings, server: OwnRedis):
    store.materialize(home)
    key = next(key for key in everything(server) if b"user_id" in key)
    with server.client() as client:
        client.hset(key.removesuffix(b"aisle") + b"myaisle", mapping={"a": "b"})
        client.set("something else", "entirely")
        store.materialize(home)
        assert client.hgetall(key.removesuffix(b"aisle") + b"myaisle") == {b"a": b"b"}
        assert client.get("something else") == b"entirely"


def test_what_has_expired_is_null_with_its_age(home: Settings):
    store.materialize(home)
    feast = store.open_store(home)
    view = feast.get_feature_view("user_activity")
    view.ttl = timedelta(days=1)
    feast.registry.apply_feature_view(view, feast.project)
    found = answers(home, "user_id", ["u05"])
    values, statuses, stamps = found["user_activity__spend_30d"]
    assert (values, statuses) == ([b""], [4])  # OUTSIDE_MAX_AGE
    assert stamps[0] > 0
    assert found["user_profile__location"][1] == [1]


def test_no_reader_sees_two_generations_of_one_entity(home: Settings):
    """Each generation writes its number into two views of all users; a reader compares them."""
    feast = store.open_store(home)
    views = {name: feast.get_feature_view(name) for name in ("user_activity", "user_affinity")}
    rows = {name: newest_known(feast, view, EVER, AS_OF) for name, view in views.items()}

    def write(generation: int) -> None:
        with one_generation(store.open_store(home)) as put:
            for name, column, kind in (
                ("user_activity", "views_1d", pa.int64()),
                ("user_affinity", "top_category_shares", pa.list_(pa.float64())),
            ):
                one = rows[name]
                value = generation if pa.types.is_integer(kind) else [float(generation)]
                changed = pa.array([value] * one.num_rows, kind)
                put(views[name], one.set_column(one.column_names.index(column), column, changed), whole=True)

    write(0)
    writing = threading.Thread(target=lambda: [write(number) for number in range(1, 30)])
    writing.start()
    seen = set()
    asked = ["user_activity:views_1d", "user_affinity:top_category_shares"]
    ids = [{"user_id": one} for one in rows["user_affinity"]["user_id"].to_pylist()]
    while writing.is_alive():
        found = feast.get_online_features(asked, ids).to_dict()
        for count, share in zip(found["views_1d"], found["top_category_shares"], strict=True):
            assert [float(count)] == share
            seen.add(count)
    writing.join()
    assert len(seen) > 2


def test_redis_that_was_gone_is_found_again_and_filled_from_the_lake(
    home: Settings, built_home: Settings, server
):
    store.materialize(home)
    feast = store.open_store(home)  # one that stays open, as in a server
    asked = {"features": ["user_activity:spend_30d"], "entity_rows": [{"user_id": "u05"}]}
    before = feast.get_online_features(**asked).to_dict()
    server.stop()
    with pytest.raises(redis.ConnectionError):
        feast.get_online_features(**asked)
    with pytest.raises(
        FeatureError, match=r"expected Redis at 127\.0\.0\.1:\d+ .*aisle features materialize"
    ):
        store.materialize(home, on_view=lambda name, _: pytest.fail(f"{name} was read for nothing"))
    for look in (lambda: get_online(home, user_id="u05"), lambda: verify(home, 1, 0)):
        with pytest.raises(FeatureError, match=r"expected an answer from Redis at 127\.0\.0\.1:\d+"):
            look()
    server.start()
    assert feast.get_online_features(**asked).to_dict()["spend_30d"] == [None]
    store.materialize(home)
    assert feast.get_online_features(**asked).to_dict() == before
    assert answers(home, "user_id", USERS) == answers(built_home, "user_id", USERS)


def test_the_feature_server_says_that_redis_is_gone_and_finds_it_again(
    home: Settings, server: OwnRedis, tmp_path
):
    store.materialize(home)
    key = team_keys(home).add("growth", READER, AS_OF)
    asked = {"features": ["user_activity:spend_30d"], "entities": {"user_id": ["u05"]}}
    with feature_server(home, tmp_path / "log.txt") as ask:
        assert ask("/get-online-features", asked, key).status == 200
        server.stop()
        gone = ask("/get-online-features", asked, key)
        assert (gone.status, b"answer from the online store" in gone.body) == (503, True)
        server.start()
        assert ask("/get-online-features", asked, key).status == 200


def test_redis_that_goes_in_the_middle_leaves_whole_entities_and_the_next_run_completes_them(
    home: Settings, built_home: Settings, server, monkeypatch: pytest.MonkeyPatch
):
    sent = redis_writer._Sending.send
    monkeypatch.setattr(redis_writer, "ROWS_AT_ONCE", 40)
    calls = []

    def stops(self: Any, commands: Any, answered: int) -> None:
        calls.append(len(commands))
        if len(calls) == 12:
            server.stop()
        sent(self, commands, answered)

    monkeypatch.setattr(redis_writer._Sending, "send", stops)
    with pytest.raises(FeatureError, match="expected Redis at"):
        store.materialize(home)
    monkeypatch.setattr(redis_writer._Sending, "send", sent)
    server.start()
    store.materialize(home)
    assert answers(home, "user_id", USERS) == answers(built_home, "user_id", USERS)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://10.0.0.5", "10.0.0.5:6379,db=0"),
        ("redis://:1234@shop:6380/2", 'shop:6380,db=2,password="1234"'),
        ("rediss://an%40na:p%2Fw@shop", 'shop:6379,db=0,username="an@na",password="p/w",ssl=true'),
    ],
)
def test_an_address_is_written_as_feast_reads_it(url: str, expected: str):
    told = feast_environment(Settings(redis_url=url))["AISLE_REDIS_CONNECTION"]
    assert told == f"{expected},socket_connect_timeout=5,socket_timeout=30"
    with pytest.raises(FeatureError, match="AISLE_REDIS_URL"):
        feast_environment(Settings(redis_url="127.0.0.1:6379"))
    with pytest.raises(FeatureError, match="without comma"):
        feast_environment(Settings(redis_url="redis://:a,b@shop"))
