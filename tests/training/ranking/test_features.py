"""Signals between user and item, against a loop over events."""

import numpy as np
import pytest

from pipelines.training.fit import litert_export
from pipelines.training.ranking.features import (
    DAY_S,
    GROWTH_DAYS,
    HALF_LIVES_DAYS,
    LEAST,
    LONGEST_DAYS,
    PLACE_DECAYS,
    signals,
)
from pipelines.training.tf import tf

N_CODES, LENGTH, OFFERED = 5, 12, 7


def history(rng: np.random.Generator, n_types: int) -> tuple[np.ndarray, ...]:
    """Two users: one with events to the end of the history, one with four events and padding."""
    codes = rng.integers(1, 4, (2, LENGTH, 1 + N_CODES)).astype(np.int32)
    types = rng.integers(1, n_types + 1, (2, LENGTH)).astype(np.int32)
    ages = np.sort(rng.uniform(0, 100 * DAY_S, (2, LENGTH)), axis=1).astype(np.float32)
    codes[1, 4:], types[1, 4:], ages[1, 4:] = 0, 0, 0
    offered = rng.integers(0, 4, (2, OFFERED, 1 + N_CODES)).astype(np.int32)
    return codes, types, ages, offered


def scaled(counts: list[float]) -> np.ndarray:
    return np.log(np.array(counts) + LEAST) / 4 - 0.02


@pytest.mark.parametrize("n_types", [1, 2])
def test_every_key_counts_the_events_that_share_it(n_types: int):
    codes, types, ages, offered = history(np.random.default_rng(0), n_types)
    found = signals(codes, types, ages, offered, n_types).numpy()
    kinds = [None] if n_types == 1 else [None, 1, 2]
    width = len(kinds) * (len(HALF_LIVES_DAYS) + 1) + len(PLACE_DECAYS)
    about_user = width + len(HALF_LIVES_DAYS) + 2
    assert found.shape == (2, OFFERED, about_user + N_CODES * width)
    for user in range(2):
        for place in range(OFFERED):
            for key, column in enumerate((0, 2, 3, 4, 5)):
                wanted = offered[user, place, column]
                counts = []
                for kind in kinds:
                    mine = [
                        min(ages[user, event] / DAY_S, LONGEST_DAYS)
                        for event in range(LENGTH)
                        if types[user, event] > 0
                        and wanted > 0
                        and codes[user, event, column] == wanted
                        and kind in (None, types[user, event])
                    ]
                    counts += [sum(0.5 ** (age / days) for age in mine) for days in HALF_LIVES_DAYS]
                    counts.append(sum(2 ** (age / GROWTH_DAYS) for age in mine))
                places = [
                    event
                    for event in range(LENGTH)
                    if types[user, event] > 0 and wanted > 0 and codes[user, event, column] == wanted
                ]
                counts += [sum(decay**later for later in places) for decay in PLACE_DECAYS]
                start = about_user + key * width
                np.testing.assert_allclose(
                    found[user, place, start : start + width], scaled(counts), rtol=1e-4, atol=1e-4
                )


def test_visits_are_counted_once():
    # Three events within minutes and one a day before: two visits.
    ages = np.array([[60.0, 120.0, 180.0, DAY_S]], np.float32)
    codes = np.ones((1, 4, 1 + N_CODES), np.int32)
    found = signals(codes, np.ones((1, 4), np.int32), ages, codes[:, :1], 1).numpy()[0, 0]
    start = len(HALF_LIVES_DAYS) + 1 + len(PLACE_DECAYS)
    visits = np.exp(4 * (found[start : start + len(HALF_LIVES_DAYS)] + 0.02)) - LEAST
    expected = [0.5 ** (60 / DAY_S / half_life) + 0.5 ** (1 / half_life) for half_life in HALF_LIVES_DAYS]
    np.testing.assert_allclose(visits, expected, rtol=1e-3)


def test_an_empty_history_gives_finite_signals_that_are_the_same_for_every_item():
    nothing = np.zeros((1, LENGTH, 1 + N_CODES), np.int32)
    offered = np.arange(OFFERED * (1 + N_CODES), dtype=np.int32).reshape(1, OFFERED, -1)
    found = signals(nothing, nothing[..., 0], nothing[..., 0].astype(np.float32), offered, 1).numpy()
    assert np.isfinite(found).all()
    assert (found == found[:, :1]).all()


def test_the_flatbuffer_computes_the_same(tmp_path):
    codes, types, ages, offered = history(np.random.default_rng(1), 2)
    specs = {
        "codes": tf.TensorSpec([1, LENGTH, 1 + N_CODES], tf.int32),
        "types": tf.TensorSpec([1, LENGTH], tf.int32),
        "ages": tf.TensorSpec([1, LENGTH], tf.float32),
        "offered": tf.TensorSpec([1, OFFERED, 1 + N_CODES], tf.int32),
    }

    def compute(codes, types, ages, offered):
        return {"signals": signals(codes, types, ages, offered, 2)}

    path = tmp_path / "signals.tflite"
    litert_export.convert(compute, [], specs, "none", path)
    received = litert_export.run(path, {"codes": codes, "types": types, "ages": ages, "offered": offered})
    np.testing.assert_allclose(
        received["signals"], signals(codes, types, ages, offered, 2).numpy(), atol=1e-4
    )
