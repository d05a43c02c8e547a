"""How features are computed: the choices that change their values."""

from pydantic import BaseModel, ConfigDict, Field


class FeatureConfig(BaseModel):
    """Choices behind the feature tables; logged whole with every training run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    history_length: int = Field(default=512, ge=1)
    """Events in one user's history, newest first."""

    span_days: int = Field(default=150, ge=1)
    """Days before `as_of` for which every state is kept, so that any instant in them finds what was known
    then; what changed earlier is summed up in the state at their start."""

    history_event_types: tuple[str, ...] = ("view", "cart", "purchase", "rating")
    """Event types that enter a history: what a user did with an item, not what was shown to them."""

    category_levels: int = Field(default=2, ge=1)
    """Levels of the category path that name a category in affinities: 2 keeps `Grocery > Cheese`."""

    affinity_weeks: int = Field(default=13, ge=1)
    """Weeks over which category and brand affinities look back."""

    affinity_length: int = Field(default=5, ge=1)
    """Categories and brands named in one user's affinities, strongest first."""

    pair_days: int = Field(default=180, ge=1)
    """Days before `as_of` whose baskets count for items bought together."""

    pair_basket_items: int = Field(default=40, ge=2)
    """Baskets with more different items than this say little about pairs and are left out."""

    pair_baskets: int = Field(default=3, ge=1)
    """Baskets that two items must share before they count as bought together."""

    pair_length: int = Field(default=20, ge=1)
    """Items named as bought together with one item, strongest first."""
