"""States of which each is what is kept of the one before and what is given: h[t] = k[t] * h[t-1] + g[t].

A few steps at a time, in all places of the history at once, then from each such run to the next: that goes
over the numbers twice, where putting them together in twos, fours and so on (Blelloch, 1990) goes over them
once for every doubling, and then again for the gradients of each.
"""

from typing import Any

from pipelines.training.tf import Tensor, tf

RUN = 4
"""Steps of one run. XLA computes the steps of longer ones over and over."""


@tf.custom_gradient
def recurrence(kept: Tensor, given: Tensor) -> tuple[Tensor, Any]:
    """[B, L, D] states of kept [B, L, D] and given [B, L, D]; the state before the first is 0."""
    states = _states(kept, given)

    def gradients(upstream: Tensor) -> tuple[Tensor, Tensor]:
        # What is given changes its own state and, by as much as is kept, all behind it: from the end back.
        kept_next = tf.pad(kept[:, 1:], [[0, 0], [0, 1], [0, 0]])
        of_given = _states(kept_next, upstream, backwards=True)
        before = tf.pad(states[:, :-1], [[0, 0], [1, 0], [0, 0]])
        return of_given * before, of_given

    return states, gradients


def _states(kept: Tensor, given: Tensor, *, backwards: bool = False) -> Tensor:
    length, dimensions = given.shape[1:]
    runs = -(-length // RUN)
    kept, given = (
        tf.unstack(
            tf.reshape(
                tf.pad(values, [[0, 0], [0, runs * RUN - length], [0, 0]]), [-1, runs, RUN, dimensions]
            ),
            axis=2,
        )
        for values in (kept, given)
    )
    direction = -1 if backwards else 1
    # Within each run as if nothing came before it, and how much of what came before is left by then.
    states, left = [given[::direction][0]], [kept[::direction][0]]
    for keeps, gives in list(zip(kept, given, strict=True))[::direction][1:]:
        states.append(keeps * states[-1] + gives)
        left.append(keeps * left[-1])
    lasts, lefts = (tf.unstack(values[-1], axis=1)[::direction] for values in (states, left))
    before = [tf.zeros_like(lasts[0])]
    for last, rest in list(zip(lasts, lefts, strict=True))[:-1]:
        before.append(last + rest * before[-1])
    entering = tf.stack(before[::direction], axis=1)[:, :, None]
    whole = tf.stack(states[::direction], axis=2) + tf.stack(left[::direction], axis=2) * entering
    return tf.reshape(whole, [-1, runs * RUN, dimensions])[:, :length]
