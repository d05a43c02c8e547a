import numpy as np
import pytest

from pipelines.training.ratings.adam import Learned
from pipelines.training.ratings.biases import Biases
from pipelines.training.ratings.blend import Blend
from pipelines.training.ratings.linear import Linear
from pipelines.training.ratings.means import Means
from pipelines.training.ratings.neighbourhood import Neighbourhood
from pipelines.training.ratings.svdpp import SvdPlusPlus
from tests.training.ratings.small_ratings import ratings, tastes


def test_biases_are_shrunk_deviations_from_the_mean():
    # Mean 3; item 0 deviates by 1 twice: 2 / (2 + 3); then users by what that leaves.
    table = ratings((0, 0, 4), (1, 0, 4), (0, 1, 2), (1, 1, 2))
    model = Biases.fit(table, user_doubt=5, item_doubt=3, rounds=1)
    assert model.mean == 3
    assert model.of_items.tolist() == pytest.approx([0.4, -0.4])
    assert model.of_users.tolist() == pytest.approx([0, 0])
    assert model.predict(np.array([0]), np.array([0])).tolist() == pytest.approx([3.4])


def test_what_was_never_rated_has_no_bias():
    model = Biases.fit(ratings((0, 0, 5), (0, 1, 1), n_users=2, n_items=3))
    assert model.predict(np.array([1]), np.array([2])).tolist() == [3]


def test_biases_without_doubt_explain_sums_exactly():
    values = {
        (user, item): 3 + [1, -1, 0][user] + [0.5, -0.5][item] for user in range(3) for item in range(2)
    }
    table = ratings(*[(*pair, value) for pair, value in values.items()])
    model = Biases.fit(table, user_doubt=0, item_doubt=0, rounds=30)
    np.testing.assert_allclose(model.predict(table.users, table.items), table.values, atol=1e-9)


def test_means_are_shrunk_and_averaged_over_the_features_held():
    held = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    means = Means.of(np.array([0, 0, 1]), np.array([2.0, 4.0, 6.0]), held, 2)
    # Row 0: feature 0 has 2 and 4, feature 1 has 4: 6 / (2 + 5) and 4 / (1 + 5).
    found = means.at(np.array([0, 0, 1]), np.array([[1.0, 0], [1, 1], [1, 0]]))
    assert found.tolist() == pytest.approx([6 / 7, (6 / 7 + 4 / 6) / 2, 0])


def test_regression_learns_that_tastes_differ_between_kinds():
    table = tastes()
    learning, rest = table.rows(slice(0, 900)), table.rows(slice(900, None))
    apart = Linear.fit(learning).predict(rest.users, rest.items) - rest.values
    # The kinds have equal means; only what they like of each other's tells 1 from 5.
    assert np.abs(apart).mean() < 0.6
    assert np.abs(learning.values.mean() - rest.values).mean() > 1.9


@pytest.mark.parametrize("over", ["items", "users"])
def test_neighbours_residuals_are_weighted_by_similarity(over: str):
    # Users 0 to 3 rate both items alike; user 4 has rated item 0 only.
    rows = [(0, 0, 5), (0, 1, 5), (1, 0, 1), (1, 1, 1), (2, 0, 5), (2, 1, 5), (3, 0, 1), (3, 1, 1), (4, 0, 5)]
    if over == "users":
        rows = [(item, user, value) for user, item, value in rows]
    table = ratings(*rows)
    model = Neighbourhood.fit(table, over=over, shrinkage=2.0, doubt=0.5)
    residuals = model.biases.residuals(table)
    first, second = (residuals.toarray() if over == "items" else residuals.toarray().T)[:4].T
    near = (first @ second) / np.sqrt((first @ first) * (second @ second)) * 4 / (4 + 2)
    asked = (np.array([4]), np.array([1])) if over == "items" else (np.array([1]), np.array([4]))
    held = residuals[4, 0] if over == "items" else residuals[0, 4]
    expected = model.biases.predict(*asked) + near * held / (near + 0.5)
    np.testing.assert_allclose(model.predict(*asked), expected, rtol=1e-6)


def test_only_the_nearest_neighbours_speak():
    table = tastes()
    asked = table.users[:50], table.items[:50]
    few, many = (
        Neighbourhood.fit(table, neighbours=neighbours, shrinkage=1.0).predict(*asked)
        for neighbours in (1, 99)
    )
    assert np.abs(few - many).max() > 0.1


def test_neighbourhoods_do_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch):
    table = tastes()
    whole = Neighbourhood.fit(table).predict(table.users, table.items)
    monkeypatch.setattr("pipelines.training.ratings.neighbourhood.BLOCK_VALUES", 100)
    monkeypatch.setattr("pipelines.training.ratings.neighbourhood.PAIRS_AT_ONCE", 7)
    np.testing.assert_allclose(Neighbourhood.fit(table).predict(table.users, table.items), whole)


def test_svdpp_learns_tastes_from_ratings_and_from_what_was_rated():
    table = tastes()
    learning, rest = table.rows(slice(0, 900)), table.rows(slice(900, None))
    model = SvdPlusPlus.fit(learning, factors=4, epochs=60, learning_rate=0.05, regularization=0.02)
    assert np.abs(model.predict(rest.users, rest.items) - rest.values).mean() < 0.3
    again = SvdPlusPlus.fit(learning, factors=4, epochs=60, learning_rate=0.05, regularization=0.02)
    np.testing.assert_array_equal(
        model.predict(rest.users, rest.items), again.predict(rest.users, rest.items)
    )


def test_svdpp_counts_a_rating_of_zero_as_one():
    rng = np.random.default_rng(0)
    rows = [(user, item, float(item % 2)) for user in range(30) for item in rng.choice(10, 6, replace=False)]
    model = SvdPlusPlus.fit(ratings(*rows), factors=2, epochs=60, learning_rate=0.05, regularization=0.001)
    predicted = model.predict(np.zeros(10, np.int64), np.arange(10))
    np.testing.assert_allclose(predicted, np.arange(10) % 2, atol=0.2)


def test_adams_first_step_is_as_long_as_the_rate_and_only_of_the_rows_named():
    learned = Learned.of(np.zeros((3, 1)))
    learned.step(np.array([0, 2]), np.array([[5.0], [-0.1]]), rate=0.01)
    np.testing.assert_allclose(learned.values, [[-0.01], [0], [0.01]], rtol=1e-5)


def test_a_blend_finds_the_weights_that_made_the_ratings():
    rng = np.random.default_rng(0)
    predicted = rng.normal(3, 1, (5_000, 2))
    blend = Blend.fit(predicted, 0.3 * predicted[:, 0] + 0.6 * predicted[:, 1] + 0.5)
    assert blend.weights.tolist() == pytest.approx([0.3, 0.6], abs=1e-3)
    assert blend.constant == pytest.approx(0.5, abs=5e-3)


def test_a_blend_of_models_that_agree_is_their_mean():
    values = np.array([1.0, 2, 3])
    blend = Blend.fit(np.stack([values, values], axis=1), values)
    assert blend.weights.tolist() == pytest.approx([0.5, 0.5])
    np.testing.assert_allclose(blend.predict(np.array([[4.0, 4.0]])), [4])
