"""Candidate items asked for by several threads are those that one user after the other gets."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from pipelines.training import offering
from pipelines.training.offering import offered_to
from serving.bundle import Bundle
from serving.ranking import Encoder
from serving.retrieval import CHUNK, Candidates, retrieve
from serving.users import user_batch
from tests.serving_core.tiny_bundle import IDS, NOW, add_graphs, history, write_tiny_bundle


def test_many_users_get_what_each_gets_alone(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(offering.os, "cpu_count", lambda: 3)
    directory = write_tiny_bundle(tmp_path / "bundle")
    add_graphs(directory)
    bundle = Bundle.open(directory)
    rng = np.random.default_rng(0)
    n_users = 3 * CHUNK + 5
    rows = [
        history(*((str(item), "purchase", age + 1) for age, item in enumerate(rng.choice(IDS, size, False))))
        for size in rng.integers(1, 5, n_users)
    ]
    users = user_batch(bundle, rows, [NOW] * n_users)
    encoder = Encoder(bundle)
    alone = [users.rows(slice(row, row + 1)) for row in range(n_users)]
    expected = Candidates.joined([retrieve(bundle, user, encoder.encode(user)) for user in alone])
    received = offered_to(bundle, users)
    np.testing.assert_array_equal(received.items, expected.items)
    for entry in fields(Candidates):
        np.testing.assert_allclose(
            getattr(received, entry.name), getattr(expected, entry.name), rtol=1e-6, atol=1e-6
        )
    assert len(np.unique(received.items, axis=0)) > 20
