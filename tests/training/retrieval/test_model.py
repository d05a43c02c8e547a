"""The sequence model: its loss, what an event may see, and that serving asks what training learned."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.training.config import Encoder, RetrievalConfig
from pipelines.training.data.histories import Histories
from pipelines.training.data.training_data import UserStates
from pipelines.training.event_training_set import users_of
from pipelines.training.fit.layers import Standardize
from pipelines.training.retrieval.batches import Batches
from pipelines.training.retrieval.ensemble import joined
from pipelines.training.retrieval.inference import Encoders
from pipelines.training.retrieval.item_tower import ItemContent, ItemEncoder
from pipelines.training.retrieval.model import QUERY_INPUTS, SequenceRetrieval
from pipelines.training.retrieval.packed_sequences import PackedSequences
from pipelines.training.retrieval.query_tower import QueryEncoder
from pipelines.training.tf import fix_seeds, tf
from serving.engine.ranking import encoder_inputs
from serving.engine.user_batch import UserBatch
from tests.training.small_trial import interactions

CONFIG = RetrievalConfig(
    history_length=8,
    embedding_dim=16,
    num_layers=2,
    dropout=0,
    num_negatives=4,
    batch_size=1,
    num_validations=100,
)
N_ITEMS = 12

# User 0 has seven events before the last moment, some at one instant, hours to weeks apart; user 1 has two.
ROWS = [
    *((0, 3, 0), (0, 4, 40_000), (0, 5, 40_000), (0, 1, 90_000), (0, 6, 2_000_000), (0, 6, 2_000_000)),
    *((0, 2, 2_000_300), (0, 9, 2_600_000)),
    *((1, 7, 1_000), (1, 8, 500_000), (1, 0, 900_000)),
]
EVENTS = interactions(ROWS, types=[1, 2, 1, 1, 2, 1, 1, 1, 2, 1, 1])
STATES = UserStates(
    np.array([0, 0, 1]),
    np.array([0, 1_500_000, 0]),
    np.array([[1.0, 5.0], [3.0, np.nan], [9.0, 2.0]], np.float32),
    np.array([[1, 2], [2, 0], [0, 1]], np.int32),
)


ALIKE = np.full(N_ITEMS, 1 / N_ITEMS)


def small_model(
    config: RetrievalConfig = CONFIG, seed: int = 0, encoder: Encoder = "attention"
) -> SequenceRetrieval:
    """A model with random weights everywhere, so that no input goes unheard."""
    fix_seeds(seed)
    numbers = np.arange(N_ITEMS, dtype=np.int32)
    content = ItemContent(
        np.where(numbers < 9, numbers + 1, 0),
        np.stack([numbers % 3 + 1, numbers % 4], 1),
        neighbours=np.stack([numbers % 5, numbers % 7], 1),
        related=np.stack([numbers % 4, numbers % 9], 1),
    )
    query = QueryEncoder(Standardize.fit(STATES.features, "features"), [2, 2], 2, config, encoder)
    model = SequenceRetrieval(query, ItemEncoder(content, config), config)
    model.compute_loss(next(batches(config).part(0, 1)))
    rng = np.random.default_rng(seed)
    model.set_weights([values + rng.normal(0, 0.3, values.shape) for values in model.get_weights()])
    return model


def batches(config: RetrievalConfig = CONFIG) -> Batches:
    return Batches(PackedSequences.of(EVENTS), STATES, ALIKE, config, 0)


@pytest.fixture
def model(request: pytest.FixtureRequest) -> SequenceRetrieval:
    return small_model(encoder=getattr(request, "param", "attention"))


of_every_encoder = pytest.mark.parametrize(
    "model", ["attention", "convolution", "mingru", "gru"], indirect=True
)


def listen(model: SequenceRetrieval, made: list[np.ndarray]) -> None:
    """Keep the queries `[B, L, D]` that the loss is computed from, one entry for each time."""
    queries = model.query.queries

    def heard(*args: object, **named: object) -> object:
        made.append(queries(*args, **named))
        return made[-1]

    model.query.queries = heard


@pytest.fixture
def heard(model: SequenceRetrieval) -> list[np.ndarray]:
    """The queries of every loss that was computed."""
    made: list[np.ndarray] = []
    listen(model, made)
    return made


def row_of(*rows: int) -> dict[str, np.ndarray]:
    """A batch of one row with these events."""
    tape = PackedSequences.of(EVENTS)
    places = np.searchsorted(tape.rows, rows)
    return batches().batch(places[None], np.random.default_rng(0))


def served(model: SequenceRetrieval, user: int, at_s: int, first: int = 0) -> np.ndarray:
    """[D] the query of a request made at that second, from the user's events from row `first` on."""
    known = EVENTS.rows(np.arange(len(EVENTS)) >= first)
    users = users_of(Histories.of(known, np.array([user]), np.array([at_s])), length=10)
    state = np.flatnonzero((STATES.rows == user) & (STATES.at_s < at_s))[-1:]
    users = replace(users, features=STATES.features[state], profile=STATES.profile[state])
    return asked(model, users)[0]


RELEASE: Any = SimpleNamespace(spec=SimpleNamespace(history_length_retrieval=CONFIG.history_length))


def asked(model: SequenceRetrieval, users: UserBatch) -> np.ndarray:
    encoders = Encoders(model)
    return encoders.query_vectors(encoders.item_vectors(N_ITEMS), RELEASE, users)


@of_every_encoder
def test_serving_asks_what_training_learned_after_the_same_events(model: SequenceRetrieval, heard: list):
    """A row of training holds user 0 from its first event, then user 1; serving sees newest first, padded."""
    model.compute_loss(row_of(0, 1, 2, 3, 4, 5, 6, 8))
    queries = heard[-1].numpy()[0]
    # The last event of each moment, when all of it is known: rows 0, 2, 3, 5 and 6 of user 0, 8 of user 1.
    for place, user, row in ((0, 0, 0), (2, 0, 2), (3, 0, 3), (5, 0, 5), (6, 0, 6), (7, 1, 8)):
        at_s = int(EVENTS.times[row]) + 1
        np.testing.assert_allclose(served(model, user, at_s), queries[place], atol=2e-5, err_msg=str(row))
        # When a list is asked for changes nothing: what counts is the time from event to event.
        later = int(EVENTS.times[row + 1]) if row != 8 else 400_000
        if STATES.at_s[1] > later or user == 1:
            np.testing.assert_allclose(served(model, user, later), queries[place], atol=2e-5)


@of_every_encoder
def test_a_history_cut_in_training_is_as_one_that_begins_there(model: SequenceRetrieval, heard: list):
    model.compute_loss(row_of(3, 4, 5, 6))
    queries = heard[-1].numpy()[0]
    np.testing.assert_allclose(served(model, 0, 2_000_301, first=3), queries[3], atol=2e-5)
    assert np.abs(served(model, 0, 2_000_301) - queries[3]).max() > 1e-3, "what was cut off did matter"


@of_every_encoder
def test_no_event_sees_a_later_one_or_another_user(model: SequenceRetrieval, heard: list):
    row = row_of(0, 1, 2, 3, 4, 5, 6, 8)
    model.compute_loss(row)
    before = heard[-1].numpy()[0]
    changed = {name: values.copy() for name, values in row.items()}
    changed["items"][0, 6], changed["types"][0, 6], changed["gaps_s"][0, 6] = 11, 2, 9e6
    model.compute_loss(changed)
    after = heard[-1].numpy()[0]
    np.testing.assert_allclose(np.delete(after, 6, 0), np.delete(before, 6, 0), atol=1e-6)
    assert np.abs(after[6] - before[6]).max() > 1e-3


def test_events_of_one_moment_see_each_other_and_all_before(model: SequenceRetrieval, heard: list):
    row = row_of(0, 1, 2, 3)
    model.compute_loss(row)
    before = heard[-1].numpy()[0]
    changed = {name: values.copy() for name, values in row.items()}
    changed["items"][0, 2] = 11
    model.compute_loss(changed)
    moved = np.abs(heard[-1].numpy()[0] - before).max(axis=1)
    assert moved[0] < 1e-6
    assert (moved[1:] > 1e-4).all()


@of_every_encoder
def test_users_of_any_history_are_encoded_as_each_of_them_alone(model: SequenceRetrieval):
    """From nothing to ten events, in no order, one with an item between that the catalogue does not have."""
    rng = np.random.default_rng(1)
    counts = np.array([7, 0, 10, 1, 4, 5, 3])
    items = np.where(np.arange(10) < counts[:, None], rng.integers(0, N_ITEMS, (7, 10)), -1).astype(np.int32)
    items[0, 2] = -1
    users = UserBatch(
        history_items=items,
        history_types=(items >= 0).astype(np.int32),
        history_ages_s=np.where(items >= 0, np.arange(1, 11) * 1_000.0, 0).astype(np.float32),
        features=np.repeat(STATES.features[:1], 7, axis=0),
        profile=np.repeat(STATES.profile[:1], 7, axis=0),
    )
    alone = [asked(model, users.rows(np.array([row])))[0] for row in range(7)]
    np.testing.assert_allclose(asked(model, users), alone, atol=1e-6)
    whole = model.query(
        **{
            name: tf.constant(values)
            for name, values in encoder_inputs(RELEASE, users, Encoders(model).item_vectors(N_ITEMS)).items()
        }
    )
    np.testing.assert_allclose(asked(model, users), whole, atol=1e-5)


@of_every_encoder
def test_padding_changes_nothing(model: SequenceRetrieval):
    rng = np.random.default_rng(0)
    known = np.arange(8) < 3
    inputs = {
        "history_vectors": rng.normal(size=(1, 8, 16)).astype(np.float32),
        "history_types": np.where(known, [[1, 2, 1, 0, 0, 0, 0, 0]], 0).astype(np.int32),
        "history_ages_s": np.array([[50, 3_000, 9e6, 0, 0, 0, 0, 0]], np.float32),
        "user_features": STATES.features[:1],
        "user_profile": STATES.profile[:1],
    }
    expected = model.query(**{name: inputs[name] for name in QUERY_INPUTS}).numpy()
    behind = {**inputs, "history_vectors": inputs["history_vectors"].copy()}
    behind["history_vectors"][:, 3:] = 7.0
    behind["history_ages_s"] = np.where(known, inputs["history_ages_s"], 1e8).astype(np.float32)
    np.testing.assert_allclose(model.query(**behind).numpy(), expected, atol=1e-6)
    short = {name: values[:, :3] if name.startswith("history") else values for name, values in inputs.items()}
    np.testing.assert_allclose(model.query(**short).numpy(), expected, atol=1e-6)


def test_events_beyond_the_history_length_and_outside_the_catalogue_are_not_asked_for(model):
    """The encoder sees the last eight events on known items, wherever the others stand among them."""
    rng = np.random.default_rng(1)
    items, types = rng.integers(0, N_ITEMS, (1, 12)), rng.integers(1, 3, (1, 12))
    ages = np.cumsum(rng.integers(1, 900_000, (1, 12)), axis=1)

    def users(chosen: list[int]) -> UserBatch:
        gone = ~np.isin(np.arange(12), chosen)
        return UserBatch(
            np.where(gone, -1, items).astype(np.int32),
            types.astype(np.int32),
            ages.astype(np.float32),
            STATES.features[:1],
            STATES.profile[:1],
        )

    def only(chosen: list[int]) -> UserBatch:
        return UserBatch(
            items[:, chosen].astype(np.int32),
            types[:, chosen].astype(np.int32),
            ages[:, chosen].astype(np.float32),
            STATES.features[:1],
            STATES.profile[:1],
        )

    holed = [1, 2, 4, 5, 6, 8, 9, 10, 11]
    np.testing.assert_allclose(asked(model, users(holed)), asked(model, only(holed[:8])), atol=1e-6)
    np.testing.assert_allclose(asked(model, users([5, 9])), asked(model, only([5, 9])), atol=1e-6)


@of_every_encoder
def test_queries_have_length_one_whatever_is_known(model: SequenceRetrieval):
    nobody = UserBatch(
        np.full((1, 10), -1, np.int32),
        np.zeros((1, 10), np.int32),
        np.zeros((1, 10), np.float32),
        np.full((1, 2), np.nan, np.float32),
        np.zeros((1, 2), np.int32),
    )
    assert np.linalg.norm(asked(model, nobody)) == pytest.approx(1.0, rel=1e-5)
    assert np.linalg.norm(served(model, 0, 50_000)) == pytest.approx(1.0, rel=1e-5)


def test_where_all_items_are_alike_the_loss_is_the_log_of_how_many_are_expected(model: SequenceRetrieval):
    # Four of twelve are drawn, each for three of them: 1 + 4 * 3 items of one score.
    for weights in model.item.trainable_variables:
        weights.assign(tf.zeros_like(weights))
    row = row_of(0, 1, 2, 3)
    row["targets"][:] = 5
    row["negatives"], row["expected"] = np.array([0, 1, 2, 2], np.int32), np.full(4, 4 / 12, np.float32)
    assert float(model.compute_loss(row)) == pytest.approx(np.log(13), rel=1e-5)
    # An item is no negative of itself: two of the four draws fall away, 1 + 2 * 3.
    row["negatives"] = np.array([5, 1, 5, 2], np.int32)
    assert float(model.compute_loss(row)) == pytest.approx(np.log(7), rel=1e-5)


def test_the_loss_is_the_sampled_softmax_corrected_by_how_often_an_item_is_drawn():
    chances = np.arange(1.0, N_ITEMS + 1) / 78
    model, row = small_model(), row_of(0, 1, 2, 3, 4)
    drawn = [9, 4, 1, 11]
    row["negatives"], row["expected"] = np.array(drawn, np.int32), (4 * chances[drawn]).astype(np.float32)
    loss = float(model.compute_loss(row))
    made: list[np.ndarray] = []
    listen(model, made)
    model.compute_loss(row)
    queries = made[-1].numpy()[0].astype(np.float64)
    vectors = model.item(np.arange(N_ITEMS)).numpy().astype(np.float64)
    losses = []
    for query, target in zip(queries, row["targets"][0], strict=True):
        positive = query @ vectors[target] / CONFIG.temperature
        # Item j is expected 4 * (j + 1) / 78 times among the four.
        others = [
            query @ vectors[j] / CONFIG.temperature - np.log(4 * (j + 1) / 78) for j in drawn if j != target
        ]
        losses.append(np.log(np.exp(positive) + np.exp(others).sum()) - positive)
    assert any(target in drawn for target in row["targets"][0])
    assert loss == pytest.approx(np.mean(losses), rel=1e-4)


def test_one_seed_drops_the_same_activations_in_every_training():
    """Compiled by XLA, as training is: there the older random operations draw anew whatever the seed."""
    config = CONFIG.model_copy(update={"dropout": 0.5, "num_layers": 0})
    start = small_model(config=config).get_weights()

    def trained(seed: int) -> list[np.ndarray]:
        model = small_model(config=config, seed=seed)
        model.set_weights(start)
        model.compile(optimizer=tf.keras.optimizers.Adam(0.01))
        model.fit(Batches(PackedSequences.of(EVENTS), STATES, ALIKE, config, 0).dataset(0), verbose=0)
        return model.get_weights()

    one, same, other = trained(1), trained(1), trained(2)
    assert all(np.array_equal(left, right) for left, right in zip(one, same, strict=True))
    assert not all(np.array_equal(left, right) for left, right in zip(one, other, strict=True))


def test_a_step_changes_weights_as_the_whole_slopes_do_and_sorts_no_rows():
    """Of rows of a table the optimizer would ask for the distinct ones, for which XLA sorts them all."""
    config = CONFIG.model_copy(update={"dropout": 0.0, "num_layers": 0})
    models = [small_model(config=config) for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    for model in models:
        model.compile(optimizer=tf.keras.optimizers.Adam(0.01))
    row = {name: tf.constant(values) for name, values in row_of(0, 1, 2, 3, 4, 5, 6, 8).items()}
    stepped, by_hand = models
    stepped.optimizer.build(stepped.trainable_variables)
    tf.function(stepped.train_step)(row)
    with tf.GradientTape() as tape:
        loss = by_hand.compute_loss(row, training=True)
    weights = by_hand.trainable_variables
    gradients = tape.gradient(loss, weights)
    assert any(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)
    by_hand.optimizer.apply_gradients(
        (tf.convert_to_tensor(gradient), weight)
        for gradient, weight in zip(gradients, weights, strict=True)
        if gradient is not None
    )
    for mine, theirs in zip(stepped.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)
    types = stepped.query.types.embeddings
    rows = tf.IndexedSlices(tf.ones((6, types.shape[1])), tf.constant([0, 1, 1, 2, 0, 1]), types.shape)

    @tf.function(jit_compile=True)
    def update(values):
        stepped._updated([tf.IndexedSlices(values, rows.indices, rows.dense_shape)], [types])

    assert "sort(" not in update.experimental_get_compiler_ir(rows.values)(stage="optimized_hlo")


def test_training_learns_what_comes_next():
    """Users who go round in a circle of twelve items: the nearest item to their query is the next one."""
    rows = [(user, (user + step) % N_ITEMS, step * 86_400) for user in range(24) for step in range(8)]
    config = CONFIG.model_copy(update={"batch_size": 8, "num_negatives": 12})
    known = UserStates(STATES.rows[:0], STATES.at_s[:0], STATES.features[:0], STATES.profile[:0])
    made = Batches(PackedSequences.of(interactions(rows)), known, ALIKE, config, 0)
    fix_seeds(0)
    numbers = np.arange(N_ITEMS, dtype=np.int32)
    content = ItemContent(numbers + 1, *np.ones((3, N_ITEMS, 1), np.int32))
    query = QueryEncoder(Standardize.fit(known.features, "features"), [2, 2], 2, config, "attention")
    model = SequenceRetrieval(query, ItemEncoder(content, config), config)
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01))
    step = tf.function(model.train_step)
    for batch in made.part(0, 120):
        step({name: tf.constant(values) for name, values in batch.items()})
    users = UserBatch(
        np.stack([numbers, (numbers - 1) % N_ITEMS], axis=1).astype(np.int32),
        np.ones((N_ITEMS, 2), np.int32),
        np.tile(np.array([[86_400, 172_800]], np.float32), (N_ITEMS, 1)),
        np.full((N_ITEMS, 2), np.nan, np.float32),
        np.zeros((N_ITEMS, 2), np.int32),
    )
    nearest = np.argmax(asked(model, users) @ Encoders(model).item_vectors(N_ITEMS).T, axis=1)
    assert nearest.tolist() == ((numbers + 1) % N_ITEMS).tolist()


def test_a_joined_model_scores_with_the_mean_of_its_members():
    members = [small_model(), small_model(seed=1, encoder="convolution")]
    users = users_of(Histories.of(EVENTS, np.array([0, 1]), np.full(2, 3_000_000)), length=10)
    users = replace(users, features=STATES.features[1:], profile=STATES.profile[1:])
    model = joined(members)
    found = asked(model, users) @ Encoders(model).item_vectors(N_ITEMS).T
    scores = [asked(member, users) @ Encoders(member).item_vectors(N_ITEMS).T for member in members]
    assert np.abs(scores[0] - scores[1]).max() > 0.1
    np.testing.assert_allclose(found, np.mean(scores, axis=0), atol=1e-5)
    assert joined(members[:1]) is members[0]
    assert len(model.trainable_variables) == sum(len(one.trainable_variables) for one in members)
