"""The candidate sources by name. A new source is added here, and nowhere else."""

from collections.abc import Mapping

from serving.bundle import Spec
from serving.engine.candidates.base import CandidateSource
from serving.engine.candidates.buy_again import BUY_AGAIN
from serving.engine.candidates.content_similarity import CONTENT_SIMILAR
from serving.engine.candidates.item_knn import ITEM_KNN
from serving.engine.candidates.next_items import NEXT_ITEMS
from serving.engine.candidates.popularity import POPULARITY
from serving.engine.candidates.trending import TRENDING
from serving.engine.candidates.two_tower import TWO_TOWER
from serving.errors import BundleError

SOURCES: Mapping[str, CandidateSource] = {
    source.name: source
    for source in (TWO_TOWER, BUY_AGAIN, ITEM_KNN, NEXT_ITEMS, CONTENT_SIMILAR, POPULARITY, TRENDING)
}
"""Every candidate source; which of them a release uses, `sources` of its `spec.json` says."""


def source_named(name: str) -> CandidateSource:
    """The source of that name.

    Raises:
        BundleError: There is none.
    """
    try:
        return SOURCES[name]
    except KeyError:
        raise BundleError(
            f"expected a candidate source out of {', '.join(SOURCES)}, received {name!r}; serve the release "
            "with the version of Aisle that made it, or train it anew"
        ) from None


def weights_of(spec: Spec) -> dict[str, float]:
    """The weight of each source of a release, in the spec's order: what training fitted, else its default."""
    return {name: spec.source_weights.get(name, source_named(name).default_weight) for name in spec.sources}
