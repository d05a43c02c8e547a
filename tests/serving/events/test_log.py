"""What is acknowledged is on disk, whole, once, and in order."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path

import pytest

from serving.errors import EventLogError
from serving.events.log import EventLog, read_events, segments


def numbers_in(folder: Path) -> list[int]:
    return [event["n"] for event in read_events(folder)]


def test_events_come_back_in_the_order_of_arrival(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        log.append([{"n": 1}, {"n": 2}]).result(5)
        log.append([{"n": 3}]).result(5)
        assert numbers_in(tmp_path) == [1, 2, 3]
    assert len(segments(tmp_path)) == 1


def test_text_of_any_kind_stays_on_one_line(tmp_path: Path) -> None:
    words = 'a\nb\u2028c "d" \\ 茶'
    with EventLog(tmp_path) as log:
        log.append([{"search_query": words}]).result(5)
    assert [event["search_query"] for event in read_events(tmp_path)] == [words]


def test_a_torn_last_line_is_left_out_and_cut_off_at_the_next_start(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        log.append([{"n": 1}]).result(5)
    (segment,) = segments(tmp_path)
    with segment.open("ab") as file:
        file.write(b'{"n": 2')
    assert numbers_in(tmp_path) == [1]
    with EventLog(tmp_path) as log:
        assert segment.read_bytes() == b'{"n":1}\n'
        log.append([{"n": 3}]).result(5)
    assert numbers_in(tmp_path) == [1, 3]


def test_a_line_that_is_no_event_does_not_hide_those_behind_it(tmp_path: Path) -> None:
    (tmp_path / "segment-00000001-20240501T000000.jsonl").write_bytes(b'{"n": 1}\nnonsense\n{"n": 2}\n')
    assert numbers_in(tmp_path) == [1, 2]


def test_a_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    with EventLog(tmp_path, segment_bytes=20) as log:
        for n in range(6):
            log.append([{"n": n}]).result(5)
    assert numbers_in(tmp_path) == [0, 1, 2, 3, 4, 5]
    # 8 bytes a line: three lines pass 20 bytes.
    assert [path.stat().st_size for path in segments(tmp_path)] == [24, 24]
    assert [event["n"] for event in read_events(tmp_path, newest_bytes=24)] == [3, 4, 5]


def test_batches_that_arrive_together_share_a_sync(tmp_path: Path, monkeypatch) -> None:
    syncs = []
    first_sync, go_on = threading.Event(), threading.Event()
    really = os.fdatasync

    def slow(handle: int) -> None:
        syncs.append(handle)
        first_sync.set()
        go_on.wait(5)
        really(handle)

    monkeypatch.setattr("serving.events.log.os.fdatasync", slow)
    with EventLog(tmp_path) as log:
        waiting = [log.append([{"n": 0}])]
        assert first_sync.wait(5)
        waiting += [log.append([{"n": n}]) for n in range(1, 50)]
        assert not any(one.done() for one in waiting)
        go_on.set()
        for one in waiting:
            one.result(5)
    assert len(syncs) == 2
    assert numbers_in(tmp_path) == list(range(50))


def test_a_disk_that_refuses_is_told_and_leaves_nothing_half_written(tmp_path: Path, monkeypatch) -> None:
    faults = []
    with EventLog(tmp_path, on_fault=lambda: faults.append(1)) as log:
        log.append([{"n": 1}]).result(5)

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("serving.events.log.os.fdatasync", full)
        with pytest.raises(EventLogError, match="No space left"):
            log.append([{"n": 2}]).result(5)
        assert "No space left" in str(log.fault)
        monkeypatch.undo()
        log.append([{"n": 3}]).result(5)
        assert log.fault is None
    assert numbers_in(tmp_path) == [1, 3]
    assert faults == [1]


def test_a_batch_whose_caller_went_away_is_not_kept(tmp_path: Path, monkeypatch) -> None:
    go_on = threading.Event()
    started = threading.Event()

    def slow(handle: int) -> None:
        started.set()
        go_on.wait(5)

    monkeypatch.setattr("serving.events.log.os.fdatasync", slow)
    with EventLog(tmp_path) as log:
        first = log.append([{"n": 1}])
        assert started.wait(5)
        second = log.append([{"n": 2}])
        assert second.cancel()
        go_on.set()
        first.result(5)
        log.append([{"n": 3}]).result(5)
    assert numbers_in(tmp_path) == [1, 3]


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with EventLog(tmp_path), pytest.raises(EventLogError, match="another serving process"):
        EventLog(tmp_path)
    EventLog(tmp_path).close()


def test_after_closing_events_are_sent_back(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.close()
    with pytest.raises(EventLogError, match="Send the events again"):
        log.append([{"n": 1}]).result(5)


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EventLogError, match="AISLE_SERVING_EVENT_LOG"):
        EventLog(tmp_path / "file")


KILLED = """
    import sys, pathlib
    from serving.events.log import EventLog
    log = EventLog(pathlib.Path(sys.argv[1]))
    n = 0
    while True:
        waiting = []
        for _ in range(20):
            waiting.append((n, log.append([{"n": n, "filling": "x" * 300}])))
            n += 1
        for number, done in waiting:
            done.result()
            sys.stdout.write(f"{number}\\n")
            sys.stdout.flush()
"""


def test_what_was_acknowledged_survives_kill_minus_nine(tmp_path: Path) -> None:
    acknowledged: Counter[int] = Counter()
    for wanted in (30, 75, 120):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "events")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        ) as process:
            acknowledged.update(int(next(process.stdout)) for _ in range(wanted))
            process.send_signal(signal.SIGKILL)
            *whole, _ = process.stdout.read().split("\n")
            acknowledged.update(int(line) for line in whole)
    # Each process counts from 0: a number is kept as often at least as it was acknowledged.
    kept = Counter(numbers_in(tmp_path / "events"))
    assert acknowledged[0] == 3
    assert acknowledged <= kept
    assert max(kept.values()) == 3
