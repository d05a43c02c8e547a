"""How the models are trained: frozen choices, logged whole with every run."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import WrongUsageError
from serving.bundle import DEFAULT_SOURCES

Encoder = Literal["attention", "convolution", "mingru", "gru"]
"""Self-attention, a filter over the last few events, or a recurrent unit: one that finds all its states at
once, or one that takes an event after the other and four times as long."""

Budget = Literal["full", "demo", "short"]
"""How long a training may take: all it needs, minutes for a first look, or less still for a test."""

BUDGETS: Mapping[Budget, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "full": ({}, {}),
    "demo": (
        {"ensemble_mixers": ("attention",), "embedding_dim": 128, "max_steps": 160, "num_validations": 1},
        {"users_per_request": 1_200, "min_steps": 400},
    ),
    "short": (
        {"ensemble_mixers": ("attention",), "embedding_dim": 128, "max_steps": 120, "num_validations": 1},
        {"users_per_request": 1_000, "min_steps": 150},
    ),
}
"""By budget, the fields of retrieval and of ranking that differ."""

INTENT_BUDGETS: Mapping[Budget, Mapping[str, Any]] = {
    "full": {},
    "demo": {"examples": 20_000},
    "short": {"examples": 5_000, "epochs": 2},
}
"""By budget, the fields of the intent model that differ."""


class FrozenConfig(BaseModel):
    """Base of the configurations: unchangeable, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RetrievalConfig(FrozenConfig):
    """The sequence model."""

    history_length: int = Field(default=64, ge=2)
    """Events that the query encoder sees, newest first (L)."""

    embedding_dim: int = Field(default=256, ge=8)
    """Length of each member's query and item vectors (D)."""

    ensemble_mixers: tuple[Encoder, ...] = Field(default=("attention", "convolution", "mingru"), min_length=1)
    """How an event learns of those before it: one model each (K), from seeds one after the other, and the
    mean of their scores. Models of different kinds mistake different things."""

    num_layers: int = Field(default=2, ge=0)
    """Blocks of that over the history; none leaves two plain towers that know the last event alone."""

    heads: int = Field(default=2, ge=1)
    """Attention heads of each block."""

    kernel_size: int = Field(default=4, ge=2)
    """Events under each filter of a convolution; a block's lie as many times further apart as the block's
    before."""

    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Dropout rate of a training of at least `full_dropout_epochs` epochs. With fewer epochs there is less to
    memorise, and the rate is lower in proportion."""

    full_dropout_epochs: float = Field(default=6, gt=0)
    """Passes over the events from which on dropout is whole."""

    min_item_events: int = Field(default=3, ge=1)
    """Events that an item needs to get a vector of its own beside its content's; rarer ones live by that."""

    max_item_ids: int = Field(default=20_000, ge=1)
    """Items with a vector of their own, the most frequent ones: bounds the cost of a step."""

    neighbours: int = Field(default=10, ge=0)
    """Items with the most users in common, the mean of whose vectors is part of an item's own. So is the mean
    of the second vectors of as many: of the same ones or of its followers, by the kind of the model."""

    sequential_basket_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the moments with several events that are learned as if these came one after the other; of the
    others only what the next moment brings is learned."""

    num_negatives: int = Field(default=2_048, ge=1)
    """Items drawn from the catalogue for a batch, shared by all its events."""

    hard_negative_share: float = Field(default=0, ge=0, lt=1)
    """Share of the negatives that are drawn by how often the model itself offers them in vain."""

    temperature: float = Field(default=0.07, ge=0.03)
    """Divisor of the cosine logits. Below .03 the exponential of the lowest is no number of 32 bits."""

    batch_size: int = Field(default=16, ge=1)
    """Rows of `history_length` events per step."""

    epochs: int = Field(default=9, ge=1)
    """Passes over the events, unless they make fewer or more steps than the next two fields allow."""

    min_steps: int = Field(default=400, ge=1)
    """A small shop's events are passed over until there were so many steps."""

    max_steps: int = Field(default=2_400, ge=1)
    """A large shop's training ends here; what it saw is then a sample."""

    num_validations: int = Field(default=9, ge=1)
    """How often validation is looked at; the last state is kept that cannot be told from the best."""

    patience: int = Field(default=5, ge=1)
    """Checks without a state to keep before training stops; the last steps, which are small, often pay."""

    learning_rate: float = Field(default=2e-3, gt=0)
    """Adam's first learning rate; it falls by a cosine to `final_learning_rate_share` of it."""

    final_learning_rate_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the first learning rate that is left at the end, so that the weights averaged there differ."""

    weight_averaging_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the steps over which weights are averaged, for what is looked at and kept."""

    warm_start_steps_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the steps that a training makes which starts from an earlier release's weights."""

    warm_start_lr_share: float = Field(default=0.1, gt=0, le=1)
    """Share of the first learning rate that such a training begins with."""

    user_snapshot_days: float = Field(default=7, gt=0)
    """Days between the instants at which users' features are known to retrieval."""


class RankingConfig(FrozenConfig):
    """The multi-task ranking model."""

    requests: int = Field(default=4, ge=1)
    """Instants of training requests, half a horizon apart."""

    users_per_request: int = Field(default=3_000, ge=1)
    """Most users sampled at one instant."""

    num_cross_layers: int = Field(default=2, ge=1)
    """Cross layers (DCN v2)."""

    cross_rank: int = Field(default=32, ge=1)
    """Rank of each cross layer's matrix."""

    hidden: tuple[int, ...] = (64, 32)
    """Widths of the dense layers behind the crosses."""

    profile_embedding_dim: int = Field(default=4, ge=1)
    """Length of each embedding of a profile value."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of activations dropped in training."""

    auxiliary_loss_weight: float = Field(default=1.0, ge=0)
    """Weight of the tasks' cross-entropies beside the listwise softmax loss of the score."""

    empty_list_ratio: float = Field(default=0.5, gt=0)
    """Lists without anything taken that one pass draws, as a share of the others; each stands for several."""

    items_per_list: int = Field(default=200, ge=2)
    """Items of a list that one pass looks at: what the user took, and a new draw of the others."""

    batch_size: int = Field(default=64, ge=1)
    """Requests (whole lists) per step."""

    epochs: int = Field(default=3, ge=1)
    """Passes over the lists, unless they make fewer steps than the next field asks for."""

    min_steps: int = Field(default=900, ge=1)
    """A small shop's lists are passed over until there were so many steps."""

    num_validations: int = Field(default=10, ge=1)
    """How often validation is looked at, at most; never within a pass."""

    patience: int = Field(default=3, ge=1)
    """Looks at validation without a better NDCG@10 before training stops; the best state is kept."""

    learning_rate: float = Field(default=1e-3, gt=0)
    """Adam's first learning rate; it falls by a cosine to a tenth."""


class IntentConfig(FrozenConfig):
    """The intent model."""

    history_length: int = Field(default=64, ge=2)
    """Newest events of a user that it knows; fewer where the release keeps fewer."""
    examples: int = Field(default=200_000, ge=100)
    """Events that are examples, at most: a seeded draw."""
    bins: int = Field(default=12, ge=2)
    """Bins of each number."""
    units: int = Field(default=32, ge=1)
    """Filters of each convolution over the session."""
    hidden: int = Field(default=128, ge=2)
    """Width of the first dense layer; the second is half as wide."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of activations dropped in training."""
    members: int = Field(default=1, ge=1)
    """Networks from different seeds, whose logits are averaged."""
    epochs: int = Field(default=6, ge=1)
    """Passes over the examples."""
    batch_size: int = Field(default=256, ge=1)
    """Examples of one step."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Adam's first learning rate; it falls to a hundredth by a cosine."""
    validation_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the examples, those of the latest sessions, that calibrate and measure."""


class TrainingConfig(FrozenConfig):
    """Everything that shapes a release; the same defaults for every shop."""

    seed: int = 0
    """Seed of every draw."""

    horizon_days: float = Field(default=14, gt=0)
    """Days over which a request is labelled; shorter where the shop's history is short."""

    history_length: int = Field(default=512, ge=1)
    """Events of a user that the sources and the ranker see, newest first (N)."""

    candidates: int = Field(default=200, ge=10)
    """Items that retrieval hands to the ranker (C)."""

    sources: tuple[str, ...] = DEFAULT_SOURCES
    """Candidate sources of the release, in the order in which the ranker reads their scores."""

    target_types: tuple[str, ...] | None = None
    """Event types that mean success; by default the shop's strongest of purchase, cart, rating, view."""

    quantization: Literal["dynamic-int8", "none"] = "dynamic-int8"
    """Compression of the graphs; kept only where lists stay the same, else float."""

    retrieval: RetrievalConfig = RetrievalConfig()
    """The two-tower model."""

    ranking: RankingConfig = RankingConfig()
    """The ranking model."""

    intent: IntentConfig = IntentConfig()
    """The intent model."""

    @classmethod
    def of(cls, choices: Mapping[str, Any] | None, *, budget: Budget = "full") -> Self:
        """The configuration with these choices over the defaults, shortened where the budget says so.

        Raises:
            WrongUsageError: A field is unknown or out of range.
        """
        try:
            config = cls.model_validate(dict(choices or {}))
        except ValidationError as error:
            raise WrongUsageError(f"expected the fields of TrainingConfig, received {error}") from error
        retrieval, ranking = BUDGETS[budget]
        intent = INTENT_BUDGETS[budget]
        return config.model_copy(
            update={
                "retrieval": config.retrieval.model_copy(update=dict(retrieval)),
                "ranking": config.ranking.model_copy(update=dict(ranking)),
                "intent": config.intent.model_copy(update=dict(intent)),
            }
        )
