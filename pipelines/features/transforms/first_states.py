"""Since when a state of an item or user holds, and which states are too new to be in the features.

A shop's export says what its catalogue is on the night it is written, and often stamps every row with that
night. The first state that is known of an item is then newer than all that happened with it. It is the best
there is to know of the time before, so it holds from the beginning (ADR 0012). Later states hold from their
own instants, and what lies at or after the cutoff is left out.
"""

from datetime import UTC, datetime

import ibis.expr.types as ir

from pipelines.features.transforms.calendar import instant_literal

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""The instant from which first states hold."""


def states_before(states: ir.Table, key: str, cutoff: datetime) -> ir.Table:
    """The states known before the cutoff (exclusive), the first one of each key from the beginning.

    Args:
        states: The history of items or users, in the lake's columns; `updated_at` tells states apart.
        key: Column that names the item or user.
        cutoff: What holds from it on, or from later, is left out.
    """
    first = states.group_by(key).aggregate(first_at=states.updated_at.min())
    dated = states.join(first, key)
    beginning = instant_literal(BEGINNING)
    held = dated.mutate(updated_at=(dated.updated_at == dated.first_at).ifelse(beginning, dated.updated_at))
    return held.filter(held.updated_at < instant_literal(cutoff)).select(*states.columns)
