"""What answers hold, for the OpenAPI document; the answers themselves are written straight to JSON."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

import msgspec
import numpy as np
from pydantic import BaseModel, Field, create_model
from starlette.responses import Response

from serving.explanations import Recommendation


class JsonAnswer(Response):
    """An answer in JSON, encoded at once."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """`content` as bytes; numbers that JSON does not have become null."""
        return msgspec.json.encode(content, enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


class ServedRelease(BaseModel):
    """Which release answered."""

    version: str = Field(description="Version of the registered model.")
    digest: str = Field(description="SHA-256 of the release's manifest.")


class Answer(BaseModel):
    """What every answer carries."""

    request_id: str = Field(
        description="Send it back with events, so that they can be joined with this answer."
    )
    release: ServedRelease | None = Field(description="The release that answered; null while there is none.")
    degraded: list[str] = Field(
        description="Parts that this answer had to do without: no_release, champion_refused, registry, "
        "user_features, user_features_stale, ranker, query_encoder."
    )


if TYPE_CHECKING:
    Item = Recommendation
else:
    Item = create_model(
        "Item",
        __doc__="One item of a list.",
        **{
            one.name: (kind, Field(description=one.metadata["description"]))
            for one, kind in zip(fields(Recommendation), get_type_hints(Recommendation).values(), strict=True)
        },
    )


class IntentOut(BaseModel):
    """What the shopper's running session is after, by its events so far."""

    purchase_probability: float = Field(
        ge=0, le=1, description="That something is bought before the session ends."
    )
    stage: Literal["browsing", "comparing", "about_to_buy"]
    category: str | None = Field(description="The department that the next step is expected in.")
    category_probability: float | None
    price_from: float | None = Field(description="Least price of the expected band; null = without limit.")
    price_to: float | None


class RecommendationsOut(Answer):
    """One list."""

    surface: str
    intent: IntentOut | None = Field(
        description="null where no session is running, or the release has no intent model."
    )
    items: list[Item]


class FacetValue(BaseModel):
    """One value of a facet and how many results have it."""

    value: str
    count: int


class PriceRange(BaseModel):
    """A range of prices and how many results lie in it."""

    from_: float | None = Field(alias="from")
    to: float | None
    count: int


class Facets(BaseModel):
    """What the results can be narrowed down by."""

    category: list[FacetValue] = []
    brand: list[FacetValue] = []
    price: list[PriceRange] = []


class SearchOut(Answer):
    """One page of results."""

    search_query: str
    total: int
    match: Literal["exact", "fuzzy", "browse", "nothing"]
    message: str | None = Field(
        description="What the shopper should know, such as that a word was corrected."
    )
    did_you_mean: str | None
    facets: Facets
    items: list[Item]


class EventResult(BaseModel):
    """What became of one event."""

    index: int = Field(description="Its place in the batch, from 0.")
    status: Literal["accepted", "duplicate", "rejected"]
    event_id: str | None
    reasons: list[str] = []


class EventsOut(BaseModel):
    """What became of a batch; what is accepted is on disk."""

    request_id: str
    accepted: int
    duplicates: int
    rejected: int
    events: list[EventResult]


class ItemFactsOut(BaseModel):
    """What the catalogue says of an item."""

    item_id: str
    title: str | None
    description: str | None
    brand: str | None
    category: str | None
    price: float | None
    image_url: str | None
    available: bool
    attributes: list[str]


class ItemOut(Answer):
    """One item of the catalogue."""

    item: ItemFactsOut


class Category(BaseModel):
    """A category with how many items can be bought in it."""

    name: str
    path: str
    items: int


class Department(Category):
    """A department with its categories."""

    children: list[Category]


class CategoriesOut(Answer):
    """The catalogue's departments."""

    categories: list[Department]


class ShopperOut(BaseModel):
    """A shopper through whose eyes the storefront can be seen."""

    user_id: str
    name: str | None
    note: str | None


class ShoppersOut(BaseModel):
    """Shoppers that the storefront offers."""

    request_id: str
    shoppers: list[ShopperOut]


class RefusalOut(BaseModel):
    """A champion that is not served."""

    version: str
    reason: str
    at: str


class RegistryOut(BaseModel):
    """What the last look at the registry showed."""

    reachable: bool
    champion_version: str | None
    checked_at: str | None
    error: str | None
    download_failures: int
    next_download_at: str | None


class ReleaseOut(BaseModel):
    """Which release is served, and what stands in the way of another."""

    request_id: str
    release: dict[str, Any] | None
    registry: RegistryOut
    refusal: RefusalOut | None
    degraded: list[str]


class HealthOut(BaseModel):
    """Whether the process lives, or can answer."""

    status: Literal["alive", "ready", "not_ready"]
    reasons: list[str] = []
