import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import TrainingError
from pipelines.training.ratings import Ratings
from pipelines.training.ratings.feature_matrix import described


def events(*rows: tuple[str, str, float | None, int]) -> pa.Table:
    return pa.table(
        {
            "user_id": [row[0] for row in rows],
            "item_id": [row[1] for row in rows],
            "rating": pa.array([row[2] for row in rows], pa.float32()),
            "event_at": pa.array([row[3] for row in rows], pa.timestamp("us", tz="UTC")),
        }
    )


def test_the_last_rating_of_a_pair_counts_and_events_without_one_do_not():
    table = Ratings.of(
        events(("b", "x", 4, 9), ("a", "x", 3, 5), ("b", "x", 1, 2), ("a", "y", None, 1), ("b", "y", 2, 7))
    )
    found = sorted(zip(table.users.tolist(), table.items.tolist(), table.values.tolist(), strict=True))
    assert found == [(0, 0, 3.0), (1, 0, 4.0), (1, 1, 2.0)]
    assert (table.n_users, table.n_items) == (2, 2)


def test_the_order_of_the_rows_of_a_file_changes_nothing():
    rows = [(f"u{user}", f"i{item}", float(user + item), user) for user in range(5) for item in range(4)]
    first, second = Ratings.of(events(*rows)), Ratings.of(events(*rows[::-1]))
    np.testing.assert_array_equal(first.users, second.users)
    np.testing.assert_array_equal(first.values, second.values)
    assert first.users.tolist() != sorted(first.users.tolist())


def test_a_shop_without_ratings_is_refused():
    for table in (events(("a", "x", None, 1)), events(("a", "x", 1.0, 1)).drop_columns(["rating"])):
        with pytest.raises(TrainingError, match="expected events with a column `rating`"):
            Ratings.of(table)


def test_descriptions_become_a_column_for_each_value_and_standard_scores():
    users = pa.table(
        {
            "user_id": ["c", "a", "b"],
            "gender": ["f", "m", None],
            "age": [30, 10, 20],
            "tags": [["x", "y"], ["x"], None],
        }
    )
    spread = (200 / 3) ** 0.5
    # Columns by name: age and its square, gender f and m, tags x and y; d is unknown.
    expected = {
        "a": [-10 / spread, 1.5, 0, 1, 1, 0],
        "b": [0, 0, 0, 0, 0, 0],
        "c": [10 / spread, 1.5, 1, 0, 1, 1],
        "d": [0, 0, 0, 0, 0, 0],
    }
    found = described(users, "user_id", pa.array(list(expected)))
    order = [0, 1, *np.argsort(["m", "f"]) + 2, 4, 5]
    np.testing.assert_allclose(found[:, order], list(expected.values()), atol=1e-12)


def test_only_the_first_level_of_a_path_counts_and_rare_values_do_not():
    ids = [f"i{place:03}" for place in range(300)]
    items = pa.table({"item_id": ids, "category": ["A > B"] * 150 + ["A > C"] * 50 + ["D"] * 98 + ["E", "F"]})
    found = described(items, "item_id", pa.array(ids))
    assert found.sum(axis=0).tolist() == [200, 98]


def test_without_a_table_nothing_is_known():
    assert described(None, "user_id", pa.array(["a", "b"])).shape == (2, 0)
