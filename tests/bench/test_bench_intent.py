"""`aisle bench intent`: both sides see the same sessions, and the figures are what their names say."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.bench.intent import expected_calibration_error
from pipelines.cli.main import main
from tests.training.intent.drawn_sessions import TYPES, drawn_sessions


def test_calibration_error_is_the_mean_gap_of_the_bins():
    # Bin 0 holds .05 and .05 with one purchase: gap |.1 - 1| / 2; bin 9 holds .95 with one: gap .05.
    told = expected_calibration_error(np.array([1.0, 0.0, 1.0]), np.array([0.05, 0.05, 0.95]))
    assert told == pytest.approx((0.9 + 0.05) / 3)


def test_both_sides_are_judged_on_the_latest_sessions(tmp_path, capsys):
    events = drawn_sessions(1_200)
    table = pa.table(
        {
            "user_id": events.users.astype(str),
            "item_id": events.items.astype(str),
            "event_type": np.array(["", *TYPES])[events.types],
            "event_at": pa.array(events.times * 1_000_000, pa.timestamp("us", tz="UTC")),
        }
    )
    pq.write_table(table, tmp_path / "events.parquet")
    with pytest.raises(SystemExit) as ended:
        main(["bench", "intent", str(tmp_path), "--json"])
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["auc"] > 0.6
    assert told["lightgbm"]["auc"] > 0.6
    # After a cart the rule knows no more: four of five buy, whoever they are.
    assert told["auc_after_cart"] == pytest.approx(0.5, abs=0.15)
    assert told["last_event"]["auc_after_cart"] == 0.5
    assert told["examples"]["test"] == pytest.approx(0.2 * len(events), rel=0.05)
    assert 0 < told["ms"] < 50


def test_a_shop_without_purchases_is_refused_before_training(tmp_path, capsys):
    table = pa.table(
        {
            "user_id": ["u"],
            "item_id": ["i"],
            "event_type": ["view"],
            "event_at": pa.array([0], pa.timestamp("us", tz="UTC")),
        }
    )
    pq.write_table(table, tmp_path / "events.parquet")
    with pytest.raises(SystemExit) as ended:
        main(["bench", "intent", str(tmp_path)])
    assert ended.value.code == 1
    assert "expected events of type purchase" in capsys.readouterr().err
