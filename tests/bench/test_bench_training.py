"""`aisle bench train` on a shop of some users: every side trains, and every figure is there."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.bench.sequential_tutorial import contexts
from pipelines.bench.training import best
from pipelines.cli.main import main

FIELDS = {
    *("ours_examples_per_second", "tfrs_tutorial_examples_per_second", "ratio", "cores"),
    *("ours_examples_per_cpu_second", "tfrs_tutorial_examples_per_cpu_second"),
    *("ours_batch_size", "tfrs_tutorial_batch_size"),
    *("sequence_examples_per_second", "sequence_examples_per_cpu_second", "sequence_ratio"),
    *("sequence_tutorial_examples_per_second", "sequence_tutorial_examples_per_cpu_second"),
    *("sequence_tutorial_batch_size", "sequence_ratio_published"),
    "sequence_tutorial_published_examples_per_second",
    "sequence_tutorial_published_examples_per_cpu_second",
    *("sequence_step_ms", "events", "items", "runs"),
}


@pytest.mark.slow
def test_every_side_trains_and_every_figure_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rng = np.random.default_rng(0)
    events = {
        "user_id": [f"u{user}" for user in range(40) for _ in range(6)],
        "item_id": [f"i{item}" for item in rng.integers(0, 30, 240)],
        "event_type": ["view"] * 240,
        "event_at": pa.array(np.arange(240) * 60_000_000, pa.timestamp("us", tz="UTC")),
    }
    pq.write_table(pa.table(events), tmp_path / "events.parquet")
    with pytest.raises(SystemExit) as ended:
        main(["bench", "train", str(tmp_path), "--runs", "1", "--steps", "2", "--json"])
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out)
    assert set(told) == FIELDS
    # Six events of each user, less the test's and the validation's.
    assert (told["events"], told["items"]) == (160, 30)
    assert told["ratio"] == pytest.approx(
        told["ours_examples_per_second"] / told["tfrs_tutorial_examples_per_second"], abs=0.01
    )
    assert set(told["sequence_step_ms"]) == {"batch", "items", "network", "whole", "update_and_rest"}


def test_rows_of_the_last_events_begin_where_a_user_begins():
    # Users 4 and 7 have two and three events; rows of three, -1 in front.
    rows = contexts(np.array([4, 4, 7, 7, 7]), 3)
    assert rows.tolist() == [[-1, -1, 0], [-1, 0, 1], [-1, -1, 2], [-1, 2, 3], [2, 3, 4]]


def test_the_best_batch_size_is_the_fastest():
    tried = [{"examples_per_second": 3.0, "batch_size": 8}, {"examples_per_second": 5.0, "batch_size": 4}]
    assert best(tried)["batch_size"] == 4
