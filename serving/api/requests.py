"""What requests may hold: strict models, so that a wrong field is an error and never silently ignored."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from serving.engine import Filters, RecommendationRequest
from serving.events import (
    HIGHEST_POSITION,
    HIGHEST_PRICE,
    HIGHEST_QUANTITY,
    HIGHEST_RATING,
    IDENTIFIER,
    LONGEST_ID,
    Event,
    RejectedEvent,
    canonical_id,
    whole_number_id,
)
from serving.search import SearchRequest

LARGEST_LIST = 100
"""Items that one answer holds at most."""

LARGEST_BATCH = 1000
"""Events that one request holds at most."""

Identifier = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_ID, pattern=IDENTIFIER),
    AfterValidator(whole_number_id),
]
"""Id that the shop gives, without blanks around it and without the `.0` of a float, as ingest takes it."""

EventIdentifier = Annotated[Identifier, AfterValidator(canonical_id)]
"""Id that is going to be stored: no text that stands for no value, and none that a spreadsheet rounded."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Name of a category or a brand, as the catalogue writes it."""

Language = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$"),
    Field(description="Language tag of the reasons and messages; English where there is no translation."),
]
Money = Annotated[float, Field(ge=0, le=HIGHEST_PRICE, allow_inf_nan=False)]
Instant = Annotated[AwareDatetime, Strict(strict=False)]


class Contract(BaseModel):
    """Base of every request: unknown fields and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FiltersIn(Contract):
    """Which items may appear."""

    category: Annotated[
        Name | None, Field(description="Category path or its beginning, levels joined by ' > '.")
    ] = None
    brands: Annotated[
        list[Name], Field(max_length=100, description="Only these brands; empty means all.")
    ] = []
    min_price: Annotated[Money | None, Field(description="Lowest price, inclusive.")] = None
    max_price: Annotated[Money | None, Field(description="Highest price, inclusive.")] = None
    in_stock_only: Annotated[bool, Field(description="Leave out what cannot be bought now.")] = True
    exclude_ids: Annotated[list[Identifier], Field(max_length=1000, description="Items to leave out.")] = []

    def filters(self) -> Filters:
        """The same, as the engine knows them."""
        return Filters(
            category=self.category,
            brands=tuple(self.brands),
            min_price=self.min_price,
            max_price=self.max_price,
            in_stock_only=self.in_stock_only,
            exclude_ids=tuple(self.exclude_ids),
        )

    @model_validator(mode="after")
    def _prices_in_order(self) -> "FiltersIn":
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise ValueError(f"min_price {self.min_price} is above max_price {self.max_price}; swap them")
        return self


class RecommendationsIn(Contract):
    """A request for one list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": "900", "surface": "home", "k": 5},
                {"user_id": "900", "surface": "item", "item_id": "1029743", "relation": "similar", "k": 8},
                {"surface": "cart", "cart": ["1029743", "995242"], "k": 4},
                {
                    "user_id": "900",
                    "surface": "category",
                    "category": "Grocery",
                    "filters": {"max_price": 5.0},
                },
            ]
        }
    )

    user_id: Annotated[Identifier | None, Field(description="The shopper; left out for an unknown one.")] = (
        None
    )
    surface: Annotated[
        Literal["home", "item", "cart", "category"], Field(description="Where the list will be shown.")
    ] = "home"
    k: Annotated[int, Field(ge=1, le=LARGEST_LIST, description="Length of the list.")] = 10
    item_id: Annotated[
        Identifier | None, Field(description="The product shown; surface `item` needs it.")
    ] = None
    relation: Annotated[
        Literal["similar", "bought_together"],
        Field(description="Which shelf of a product page is asked for."),
    ] = "similar"
    cart: Annotated[
        list[Identifier],
        Field(max_length=200, description="Items in the cart; surface `cart` needs at least one."),
    ] = []
    category: Annotated[
        Name | None, Field(description="Category path or its beginning; surface `category` needs it.")
    ] = None
    filters: FiltersIn = FiltersIn()
    language: Language = "en"

    def request(self) -> RecommendationRequest:
        """The same, as the engine knows it."""
        return RecommendationRequest(
            surface=self.surface,
            k=self.k,
            item_id=self.item_id,
            relation=self.relation,
            cart=tuple(self.cart),
            category=self.category,
            filters=self.filters.filters(),
        )

    @model_validator(mode="after")
    def _surface_has_its_field(self) -> "RecommendationsIn":
        if self.surface == "item" and self.item_id is None:
            raise ValueError("surface 'item' needs item_id, the product that is shown")
        if self.surface == "cart" and not self.cart:
            raise ValueError("surface 'cart' needs cart with at least one item_id")
        if self.surface == "category" and self.category is None:
            raise ValueError("surface 'category' needs category, such as 'Grocery'")
        return self


class SearchIn(Contract):
    """A search of the catalogue."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"search_query": "dark chocolate", "user_id": "900", "k": 10},
                {"search_query": "coffee", "filters": {"brands": ["Private"], "max_price": 8.0}},
            ]
        }
    )

    search_query: Annotated[
        str,
        StringConstraints(max_length=256),
        Field(description="The shopper's words; may be empty, to browse."),
    ] = ""
    user_id: Annotated[Identifier | None, Field(description="The shopper for whom results are ranked.")] = (
        None
    )
    k: Annotated[int, Field(ge=1, le=LARGEST_LIST, description="Results on one page.")] = 20
    offset: Annotated[int, Field(ge=0, le=10_000, description="Results to skip.")] = 0
    filters: FiltersIn = FiltersIn()
    language: Language = "en"

    def request(self) -> SearchRequest:
        """The same, as the search engine knows it."""
        return SearchRequest(self.search_query, self.k, self.offset, self.filters.filters(), self.language)


class EventIn(Contract):
    """Something that a shopper did."""

    event_id: Annotated[
        EventIdentifier | None,
        Field(
            description="Given by the caller, so that a repeat is stored once; left out, one is generated."
        ),
    ] = None
    event_type: Annotated[
        EventIdentifier,
        Field(description="impression, search, view, cart, purchase or rating, or one of the shop's own."),
    ]
    user_id: EventIdentifier
    item_id: Annotated[EventIdentifier | None, Field(description="Needed by every type but `search`.")] = None
    event_at: Annotated[
        Instant | None, Field(description="When it happened, with its offset from UTC; left out, now.")
    ] = None
    session_id: EventIdentifier | None = None
    search_query: Annotated[
        str | None, StringConstraints(max_length=256), Field(description="Words searched.")
    ] = None
    quantity: Annotated[float | None, Field(gt=0, le=HIGHEST_QUANTITY, allow_inf_nan=False)] = None
    price: Annotated[Money | None, Field(description="Price paid for one unit.")] = None
    rating: Annotated[float | None, Field(ge=0, le=HIGHEST_RATING, allow_inf_nan=False)] = None
    request_id: Annotated[EventIdentifier | None, Field(description="The answer that showed the item.")] = (
        None
    )
    position: Annotated[
        int | None, Field(ge=1, le=HIGHEST_POSITION, description="Rank in that answer, from 1.")
    ] = None
    surface: Annotated[EventIdentifier | None, Field(description="Where it happened: home, item, cart …")] = (
        None
    )
    source: Annotated[EventIdentifier, Field(description="Which program sent it.")] = "api"

    @model_validator(mode="after")
    def _type_has_its_field(self) -> "EventIn":
        if self.event_type == "search":
            if self.search_query is None:
                raise ValueError("an event of type 'search' needs search_query")
        elif self.item_id is None:
            raise ValueError(f"an event of type {self.event_type!r} needs item_id")
        if self.event_type == "rating" and self.rating is None:
            raise ValueError("an event of type 'rating' needs rating")
        return self

    def event(self) -> Event:
        """The same, as intake and ingest know it."""
        return Event(**self.model_dump())


def _keep_reasons(value: Any, read: ValidatorFunctionWrapHandler) -> "EventIn | RejectedEvent":
    try:
        event: EventIn = read(value)
    except ValidationError as error:
        return RejectedEvent(tuple(describe(detail) for detail in error.errors(include_url=False)))
    return event


class EventsIn(Contract):
    """A batch of events; each one is judged on its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {"event_type": "view", "user_id": "900", "item_id": "1029743", "session_id": "s-1"},
                        {
                            "event_id": "order-77-1",
                            "event_type": "purchase",
                            "user_id": "900",
                            "item_id": "1029743",
                            "quantity": 2,
                            "price": 1.99,
                        },
                    ]
                }
            ]
        }
    )

    events: Annotated[
        list[Annotated[EventIn, WrapValidator(_keep_reasons)]], Field(min_length=1, max_length=LARGEST_BATCH)
    ]

    def judged(self) -> list[Event | RejectedEvent]:
        """Each event as intake knows it; one that could not be read with its reasons."""
        batch: Sequence[object] = self.events
        return [one.event() if isinstance(one, EventIn) else cast("RejectedEvent", one) for one in batch]


def describe(error: Any) -> str:
    """One validation error as a sentence: the field, what was expected and what was received."""
    where = ".".join(str(part) for part in error["loc"] if part != "body")
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] in {"missing", "value_error", "extra_forbidden"}:
        return f"{where}: {message}" if where else message
    return f"{where or 'body'}: {message}, received {shortened(error.get('input'))}"


def shortened(value: object, limit: int = 80) -> str:
    """`value` as a person would recognise it, at most `limit` characters."""
    shown = repr(value) if not isinstance(value, (dict, list)) else f"{type(value).__name__} of {len(value)}"
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
