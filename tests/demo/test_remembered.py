"""What a demo folder remembers."""

from datetime import UTC, datetime

import pytest

from pipelines.demo.remembered import Finished, clear, shop_clock

AS_OF = datetime(2018, 1, 1, 4, 1, 21, tzinfo=UTC)


def test_a_finished_demo_is_remembered_and_an_unfinished_one_is_not(tmp_path):
    assert Finished.read(tmp_path) is None
    finished = Finished(source="complete-journey", as_of=AS_OF, version="1")
    finished.write(tmp_path)
    assert Finished.read(tmp_path) == finished


def test_clearing_keeps_the_logs_and_the_lock_and_removes_the_rest(tmp_path):
    for folder in ("logs", "lake", "airflow"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("x")
    (tmp_path / "stack.lock").write_text("1")
    (tmp_path / "demo.json").write_text("{}")
    clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "stack.lock"]


def test_clearing_follows_no_link_out_of_the_folder(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(outside)
    clear(home)
    assert (outside / "precious").exists()
    assert not (home / "link").is_symlink()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], AS_OF),
        (['{"event_at": "2017-06-01T00:00:00+00:00"}'], AS_OF),
        (
            ['{"event_at": "2018-01-01T09:00:00+00:00"}', '{"event_at": "2018-'],
            datetime(2018, 1, 1, 9, tzinfo=UTC),
        ),
    ],
    ids=["no events", "older events", "newer events and a torn last line"],
)
def test_the_shops_clock_never_goes_back(tmp_path, lines, expected):
    (tmp_path / "segment-00000001-20180101T000000.jsonl").write_text("\n".join(lines))
    assert shop_clock(AS_OF, tmp_path) == expected
