"""Hard negatives: what the model offers in vain is drawn more often, and training still learns."""

import numpy as np
import pytest

from pipelines.training.config import RetrievalConfig
from pipelines.training.data.training_data import UserStates
from pipelines.training.fit.layers import Standardize
from pipelines.training.retrieval import hard_negatives
from pipelines.training.retrieval.batches import Batches
from pipelines.training.retrieval.hard_negatives import hard_negative_probabilities
from pipelines.training.retrieval.item_tower import ItemContent, ItemEncoder
from pipelines.training.retrieval.model import SequenceRetrieval
from pipelines.training.retrieval.packed_sequences import PackedSequences
from pipelines.training.retrieval.query_tower import QueryEncoder
from tests.training.small_trial import interactions

N_ITEMS = 6
NOTHING = UserStates(
    np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 0), np.float32), np.zeros((0, 0), np.int32)
)


@pytest.fixture
def batches() -> Batches:
    """Users who have item 0 and then item 1."""
    events = interactions([(user, item, item * 60) for user in range(9) for item in (0, 1)])
    config = RetrievalConfig(history_length=4, embedding_dim=8, num_layers=0, dropout=0, num_negatives=2_000)
    return Batches(PackedSequences.of(events), NOTHING, np.full(N_ITEMS, 1 / N_ITEMS), config, 0)


@pytest.fixture
def model(batches: Batches) -> SequenceRetrieval:
    """Items 0 to 2 point one way and 3 to 5 another; who had item 0 is offered 0 to 2 first."""
    query = QueryEncoder(Standardize.fit(NOTHING.features, "features"), [], 1, batches.config, "attention")
    content = ItemContent(np.arange(1, N_ITEMS + 1, dtype=np.int32), *np.zeros((3, N_ITEMS, 1), np.int32))
    made = SequenceRetrieval(query, ItemEncoder(content, batches.config), batches.config)
    vectors = np.zeros((N_ITEMS + 1, 8), np.float32)
    vectors[1:4, 0], vectors[4:7, 1] = 1.0, 1.0
    made.item.id_table.assign(vectors)
    return made


def test_what_is_offered_in_vain_is_drawn_more_often(
    model: SequenceRetrieval, batches: Batches, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hard_negatives, "MINED_ITEMS", 2)
    # Item 1 is what came next; of the others 0 and 2 are nearest, each half of what is offered in vain.
    expected = np.full(N_ITEMS, 0.6 / 6) + 0.4 * np.array([0.5, 0, 0.5, 0, 0, 0])
    np.testing.assert_allclose(hard_negative_probabilities(model, batches, 1, 0.4), expected)


def test_a_batch_draws_by_them_and_tells_how_often_each_is_expected(batches: Batches):
    chances = np.array([0.2, 0, 0.8, 0, 0, 0])
    batch = next(batches.part(0, 1, chances))
    # Six deviations of 2,000 draws: 1,600 +- 107.
    assert 1_493 < (batch["negatives"] == 2).sum() < 1_707
    np.testing.assert_allclose(batch["expected"], np.where(batch["negatives"] == 2, 1_600, 400), rtol=1e-6)
