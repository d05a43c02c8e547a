"""What serving would offer to many users, asked for by all cores at once."""

import os

from pipelines.runtime import map_ordered
from serving.bundle import Bundle
from serving.engine import Encoder, UserBatch
from serving.engine.candidates import Candidates, parts_of
from serving.engine.candidates.retrieve import retrieve


def generate_candidates(bundle: Bundle, users: UserBatch) -> Candidates:
    """The candidate items of B users, as `retrieve` gives them.

    A part of the users at a time: LiteRT and numpy leave Python's lock to others.
    """
    encoder = Encoder(bundle)

    def offer(part: slice) -> Candidates:
        some = users.rows(part)
        return retrieve(bundle, some, encoder.encode(some))

    return Candidates.joined(list(map_ordered(offer, parts_of(bundle, len(users)), os.cpu_count() or 1)))
