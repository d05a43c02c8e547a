"""Candidate items asked for by several threads are those that one of them gets."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from pipelines.training import candidate_generation
from pipelines.training.candidate_generation import generate_candidates
from serving.bundle import Bundle
from serving.engine.candidates.retrieve import USER_BATCH_SIZE, Candidates, retrieve
from serving.engine.ranking import Encoder
from serving.engine.user_batch import user_batch
from tests.serving.tiny_bundle import IDS, NOW, add_graphs, history, write_tiny_bundle


def test_several_threads_get_what_one_gets(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(candidate_generation.os, "cpu_count", lambda: 3)
    directory = write_tiny_bundle(tmp_path / "bundle")
    add_graphs(directory)
    bundle = Bundle.open(directory)
    rng = np.random.default_rng(0)
    n_users = 3 * USER_BATCH_SIZE + 5
    rows = [
        history(*((str(item), "purchase", age + 1) for age, item in enumerate(rng.choice(IDS, size, False))))
        for size in rng.integers(1, 5, n_users)
    ]
    users = user_batch(bundle, rows, [NOW] * n_users)
    expected = retrieve(bundle, users, Encoder(bundle).encode(users))
    received = generate_candidates(bundle, users)
    for entry in fields(Candidates):
        np.testing.assert_array_equal(getattr(received, entry.name), getattr(expected, entry.name))
    assert len(received.items) == n_users
    assert len(np.unique(received.items, axis=0)) > 20
