"""The two-tower model: its loss with logQ, negatives that are none, and items without history."""

import numpy as np
import pytest

from pipelines.training.config import RetrievalConfig
from pipelines.training.layers import Standardize
from pipelines.training.retrieval.content import CandidateEncoder, ItemContent, ItemEmbedding
from pipelines.training.retrieval.model import TwoTower, sampling_chances
from pipelines.training.retrieval.query import QueryEncoder
from pipelines.training.tensorflow import fix_seeds, tf

CONFIG = RetrievalConfig(dimensions=8, extra_negatives=0, dropout=0, id_dropout=0, history_length=6)
N_ITEMS = 12


def towers(chances: np.ndarray | None = None, config: RetrievalConfig = CONFIG) -> TwoTower:
    """Untrained towers over twelve items, the last of which have no id of their own."""
    fix_seeds(0)
    codes = np.stack([np.arange(1, N_ITEMS + 1), np.arange(N_ITEMS) % 3 + 1], axis=1).astype(np.int32)
    codes[10:, 0] = 0
    words = (np.arange(N_ITEMS)[:, None] % 4 + np.zeros((1, 2))).astype(np.int32)
    embedding = ItemEmbedding([N_ITEMS, 3], config)
    query = QueryEncoder(
        embedding, Standardize.fit(np.eye(3, 2, dtype=np.float32), "features"), [2], 2, config
    )
    content = ItemContent(codes, words, np.arange(N_ITEMS, dtype=np.int32) % 2)
    chances = np.ones(N_ITEMS, np.float32) if chances is None else chances
    return TwoTower(query, CandidateEncoder(content, embedding, config), chances, config)


def inputs(positives: list[list[int]], **changes: np.ndarray) -> dict[str, np.ndarray]:
    """Requests of users with three events each and padding behind."""
    rng, size = np.random.default_rng(0), len(positives)
    types = np.tile(np.array([1, 2, 1, 0, 0, 0], np.int32), (size, 1))
    codes = rng.integers(1, 4, (size, 6, 3)).astype(np.int32) * (types > 0)[..., None]
    return {
        "history_codes": codes,
        "history_types": types,
        "history_ages_s": np.tile(np.array([60, 3_600, 9e6, 0, 0, 0], np.float32), (size, 1)),
        "user_features": rng.normal(size=(size, 2)).astype(np.float32),
        "user_profile": np.ones((size, 1), np.int32),
        "positives": np.array(positives, np.int32),
        **changes,
    }


def expected_loss(model: TwoTower, given: dict[str, np.ndarray], chances: np.ndarray) -> float:
    """Mean cross-entropy in plain numpy, in-batch, minus the log of each candidate's chance."""
    queries = model.query(**{name: values for name, values in given.items() if name != "positives"}).numpy()
    positives = given["positives"]
    items = positives.ravel()
    vectors = model.candidate(items).numpy()
    losses = []
    for user in range(len(positives)):
        for place in range(positives.shape[1]):
            own = user * positives.shape[1] + place
            kept = [c for c in range(len(items)) if c == own or items[c] not in positives[user]]
            logits = vectors[kept] @ queries[user] / CONFIG.temperature - np.log(chances[items[kept]])
            losses.append(
                np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[kept.index(own)]
            )
    return float(np.mean(losses))


def test_the_loss_is_the_corrected_cross_entropy_and_own_positives_are_no_negatives():
    chances = np.linspace(0.05, 1.0, N_ITEMS).astype(np.float32)
    model, given = towers(chances), inputs([[0, 1], [1, 2], [5, 6]])
    loss = float(model.compute_loss({name: tf.constant(values) for name, values in given.items()}))
    assert loss == pytest.approx(expected_loss(model, given, chances), rel=1e-4)
    assert loss != pytest.approx(expected_loss(model, given, np.ones(N_ITEMS)), rel=1e-2)


def test_without_the_correction_popular_items_are_pushed_down():
    # All users alike; item 0 is the positive of three requests of four, item 1 of one. With logQ the trained
    # logits differ by the log of the chances, 3 to 1; without it the in-batch softmax sees no difference.
    differences = {}
    for corrected in (True, False):
        chances = np.full(N_ITEMS, 1e-3, np.float32)
        chances[:2] = (1.0, 1 / 3) if corrected else (1.0, 1.0)
        model = towers(chances, CONFIG.model_copy(update={"temperature": 1.0}))
        model.compile(optimizer=tf.keras.optimizers.Adam(0.02))
        one = inputs([[0]] * 3 + [[1]])
        alike = {
            name: np.repeat(values[:1], 4, axis=0) for name, values in one.items() if name != "positives"
        }
        batch = {**alike, "positives": one["positives"]}
        step = tf.function(model.train_step)
        for _ in range(150):
            step({name: tf.constant(values) for name, values in batch.items()})
        query = model.query(**{name: values[:1] for name, values in alike.items()}).numpy()
        logits = model.candidate(np.array([0, 1], np.int32)).numpy() @ query[0]
        differences[corrected] = logits[0] - logits[1]
    assert differences[True] > differences[False] + 0.2


def test_chances_are_those_of_labels_and_uniform_draws_together():
    # 8 rows: item 0 has 3 of 4 labels = 6, item 1 has 2, and 4 extra draws give every item 1 more.
    chances = sampling_chances(np.array([3, 1, 0, 0]), rows_per_batch=8, extra_negatives=4)
    np.testing.assert_allclose(chances, np.array([7, 3, 1, 1]) / 7, rtol=1e-6)
    assert sampling_chances(np.array([1, 0]), 8, 0).min() > 0


def test_what_is_unknown_of_a_user_leaves_a_vector_of_length_one():
    model = towers()
    unknown = inputs(
        [[0]],
        user_features=np.full((1, 2), np.nan, np.float32),
        user_profile=np.zeros((1, 1), np.int32),
        history_types=np.zeros((1, 6), np.int32),
        history_codes=np.zeros((1, 6, 3), np.int32),
        history_ages_s=np.zeros((1, 6), np.float32),
    )
    del unknown["positives"]
    assert np.linalg.norm(model.query(**unknown).numpy()) == pytest.approx(1.0, rel=1e-5)


def test_padding_changes_nothing():
    model, given = towers(), inputs([[0]])
    del given["positives"]
    padded = {
        **given,
        "history_codes": given["history_codes"].copy(),
        "history_ages_s": given["history_ages_s"].copy(),
    }
    padded["history_codes"][:, 4:] = 3
    padded["history_ages_s"][:, 4:] = 1e6
    np.testing.assert_allclose(model.query(**given), model.query(**padded), atol=1e-6)


def test_items_without_an_id_differ_by_their_content():
    vectors = towers().candidate(np.array([10, 11], np.int32)).numpy()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    assert vectors[0] @ vectors[1] < 0.99


def test_hidden_ids_leave_only_content():
    config = CONFIG.model_copy(update={"id_dropout": 0.999999})
    model = towers(config=config)
    codes = np.array([[1, 2], [7, 2]], np.int32)
    hidden = model.candidate.embedding(codes, training=True).numpy()
    shown = model.candidate.embedding(codes, training=False).numpy()
    np.testing.assert_allclose(hidden[0], hidden[1])
    assert not np.allclose(shown[0], shown[1])
