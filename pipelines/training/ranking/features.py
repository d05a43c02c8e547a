"""Signals between user and item, computed inside the graph from the user's last events.

For each candidate item and each of its keys (the item itself, its category levels, its brand) the events of
the history with the same key are counted, with several half-lives, by event type, and by how many events
came after: in a visit of minutes days tell nothing, and what was looked at last says most. That is one
comparison and one matrix product per key, in built-in operations only, so that serving runs exactly what
training saw.
"""

import numpy as np

from pipelines.training.tf import Tensor, tf

HALF_LIVES_DAYS = (3.0, 10.0, 30.0, 90.0, 365.0)
"""Days after which an event counts half. The logarithm of the shortest ones tells when the last event was."""

GROWTH_DAYS = 30.0
"""Days after which an event counts twice: the logarithm of such a count tells when the first event was."""

PLACE_DECAYS = (0.5, 0.8)
"""What is left of an event's count for every later event of the same user."""

LONGEST_DAYS = 720.0
"""Ages beyond this count as this."""

LEAST = 1e-3
"""Added to counts before their logarithm; a single event fades below it after ten half-lives."""

SESSION_S = 1_800.0
"""Events closer together than this belong to one visit."""

DAY_S = 86_400.0
LOG_2 = float(np.log(2.0))


def signals(
    history_codes: Tensor,
    history_types: Tensor,
    history_ages_s: Tensor,
    candidate_codes: Tensor,
    n_types: int,
) -> Tensor:
    """[B, C, S] signals of candidate items, roughly between -3 and 3.

    Args:
        history_codes: [B, N, 1 + K] item index + 1, then the item codes; 0 at padding.
        history_types: [B, N] 1-based type codes, 0 at padding.
        history_ages_s: [B, N] seconds before the request, newest first.
        candidate_codes: [B, C, 1 + K].
        n_types: Event types that there are.
    """
    known = tf.cast(history_types > 0, tf.float32)
    days = tf.minimum(history_ages_s / DAY_S, LONGEST_DAYS)
    weights = _weights(days, history_types, known, n_types)
    own = [_scaled(tf.reduce_sum(weights, axis=1))]
    own.append(
        _scaled(tf.reduce_sum(weights[..., : len(HALF_LIVES_DAYS)] * _visits(history_ages_s, known), axis=1))
    )
    own.append(_gaps(days))
    about_user = tf.concat(own, axis=-1)[:, None, :]
    parts = [about_user + tf.zeros_like(candidate_codes[..., :1], tf.float32)]
    # Column 1 is the item's code in the training vocabulary: column 0 says the same, for every item.
    for column in (0, *range(2, candidate_codes.shape[-1])):
        theirs, ours = candidate_codes[:, :, column, None], history_codes[:, None, :, column]
        same = tf.cast(tf.equal(theirs, ours), tf.float32)
        has_key = tf.cast(theirs > 0, tf.float32)
        parts.append(_scaled(tf.matmul(same, weights) * has_key))
    return tf.concat(parts, axis=-1)


def _weights(days: Tensor, types: Tensor, known: Tensor, n_types: int) -> Tensor:
    """[B, N, kinds * (half-lives + 1) + place decays] what an event counts.

    All types come first, then each alone if there are many, then all by their place.
    """
    fading = [tf.exp(days * (-LOG_2 / half_life)) for half_life in HALF_LIVES_DAYS]
    growing = tf.exp(days * (LOG_2 / GROWTH_DAYS))
    by_age = tf.stack([*fading, growing], axis=-1) * known[..., None]
    kinds = [by_age]
    if n_types > 1:
        kinds += [
            by_age * tf.cast(tf.equal(types, code), tf.float32)[..., None] for code in range(1, n_types + 1)
        ]
    places = tf.cast(tf.range(tf.shape(days)[1]), tf.float32)
    by_place = [tf.exp(places * float(np.log(decay))) for decay in PLACE_DECAYS]
    return tf.concat([*kinds, tf.stack(by_place, axis=-1) * known[..., None]], axis=-1)


def _visits(ages_s: Tensor, known: Tensor) -> Tensor:
    """[B, N, 1] 1 at the newest event of each visit."""
    later = tf.concat([ages_s[:, :1] - 2.0 * SESSION_S, ages_s[:, :-1]], axis=1)
    return (tf.cast(ages_s - later > SESSION_S, tf.float32) * known)[..., None]


def _gaps(days: Tensor) -> Tensor:
    """[B, 2] how long ago the newest event was, and the one before the last ten."""
    tenth = 10 if days.shape[1] is None else min(10, days.shape[1] - 1)
    return tf.math.log(1.0 + tf.stack([days[:, 0], days[:, tenth]], axis=-1)) / 3.0 - 1.0


def _scaled(counts: Tensor) -> Tensor:
    """Logarithm of counts, -1.75 for none and 0 for about six."""
    return tf.math.log(counts + LEAST) / 4.0 - 0.02
