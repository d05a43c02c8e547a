"""Training retrieval: from the training set to item vectors and the query encoder in the bundle."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import TrainingError
from pipelines.training.catalogue import price_levels, title_words
from pipelines.training.config import RetrievalConfig
from pipelines.training.fitting import fit_best
from pipelines.training.layers import Standardize
from pipelines.training.retrieval.content import CandidateEncoder, ItemContent, ItemEmbedding
from pipelines.training.retrieval.model import QUERY_INPUTS, TwoTower, sampling_chances
from pipelines.training.retrieval.query import QueryEncoder
from pipelines.training.retrieval.requests import RetrievalRequests, request_instants, retrieval_requests
from pipelines.training.shop import Interactions
from pipelines.training.tensorflow import fix_seeds, tf
from pipelines.training.training_set import VALIDATION, TrainingSet, UserStates
from serving.bundle import Bundle
from serving.ranking import encoder_inputs

RECALL_AT = 100
ENCODED_AT_ONCE = 4_096
PRICE_NAMES = ("price", "mean_price_30d", "mean_price")


@dataclass(frozen=True, slots=True)
class TrainedRetrieval:
    """A trained two-tower model and how it came about."""

    model: TwoTower
    curve: dict[str, list[float]]
    """Per epoch: `loss` and `validation_recall_at_100`."""

    def item_vectors(self, n_items: int) -> npt.NDArray[np.float32]:
        """[n, D] vectors of all items."""
        encode = tf.function(self.model.candidate, input_signature=[tf.TensorSpec([None], tf.int32)])
        parts = [
            encode(np.arange(start, min(start + ENCODED_AT_ONCE, n_items), dtype=np.int32)).numpy()
            for start in range(0, n_items, ENCODED_AT_ONCE)
        ]
        return np.concatenate(parts)

    def queries(self, inputs: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """[B, D] vectors of users."""
        return _encode(self.model, inputs)


def train(material: TrainingSet) -> TrainedRetrieval:
    """Train until the validation recall gets no better, and keep the best epoch.

    Raises:
        TrainingError: No request has both a history and labels.
    """
    config, seed = material.config.retrieval, material.config.seed
    fix_seeds(seed)
    bundle = Bundle.open(material.workdir)
    events = material.interactions.before(material.split.retrieval_until)
    states = material.user_states()
    instants = request_instants(material.split, config)
    requests = retrieval_requests(events, len(material.user_ids), instants, material.split, states)
    if len(requests) == 0:
        raise TrainingError(
            "expected requests with a history and labels before "
            f"{material.split.retrieval_until.isoformat()}, received none; ingest more history"
        )
    batches = Batches(bundle, events, requests, states, config, seed)
    model = build_model(material, bundle, states, batches.label_counts())
    steps = max(1, batches.per_epoch) * config.epochs
    schedule = tf.keras.optimizers.schedules.CosineDecay(config.learning_rate, steps, alpha=0.1)
    model.compile(optimizer=tf.keras.optimizers.Adam(schedule))
    judge = ValidationRecall(material, bundle)
    curve = fit_best(
        model,
        batches.dataset,
        lambda: judge(TrainedRetrieval(model, {})),
        figure="validation_recall_at_100",
        epochs=config.epochs,
        patience=config.patience,
    )
    return TrainedRetrieval(model, curve)


def build_model(
    material: TrainingSet, bundle: Bundle, states: UserStates, label_counts: npt.NDArray[np.int64]
) -> TwoTower:
    """The towers with sizes, statistics and content of this shop, their weights not trained yet."""
    config, spec = material.config.retrieval, bundle.spec
    words, _ = title_words(bundle.items)
    known = material.item_features(material.split.retrieval_until)
    prices = np.full(bundle.n_items, np.nan)
    for name in PRICE_NAMES:
        if name in spec.item_features:
            prices = np.where(np.isfinite(prices), prices, known[:, spec.item_features.index(name)])
    content = ItemContent(bundle.item_codes, words, price_levels(prices))
    embedding = ItemEmbedding([int(column.max()) for column in bundle.item_codes.T], config)
    query = QueryEncoder(
        embedding,
        Standardize.fit(states.features, "user_features"),
        [len(feature.values) for feature in spec.profile_features],
        len(spec.event_types),
        config,
    )
    chances = sampling_chances(label_counts, config.batch_size * config.positives, config.extra_negatives)
    return TwoTower(query, CandidateEncoder(content, embedding, config), chances, config)


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of retrieval requests, drawn anew for every epoch."""

    bundle: Bundle
    events: Interactions
    requests: RetrievalRequests
    states: UserStates
    config: RetrievalConfig
    seed: int

    @property
    def per_epoch(self) -> int:
        """Batches in one epoch."""
        return -(-min(len(self.requests), self.config.requests_per_epoch) // self.config.batch_size)

    def label_counts(self) -> npt.NDArray[np.int64]:
        """[n] about how often each item is drawn as a positive."""
        weights = np.zeros(len(self.events) + 1)
        share = 1.0 / (self.requests.label_ends - self.requests.ends)
        np.add.at(weights, self.requests.ends, share)
        np.add.at(weights, self.requests.label_ends, -share)
        drawn = np.bincount(self.events.items, np.cumsum(weights)[:-1], self.bundle.n_items)
        return np.maximum(drawn, 0)

    def dataset(self, epoch: int) -> Any:
        """The epoch's batches, made while the model trains on the ones before."""
        spec, length = self.bundle.spec, self.config.history_length
        signature = {
            "history_codes": tf.TensorSpec([None, length, 1 + len(spec.code_columns)], tf.int32),
            "history_types": tf.TensorSpec([None, length], tf.int32),
            "history_ages_s": tf.TensorSpec([None, length], tf.float32),
            "user_features": tf.TensorSpec([None, len(spec.user_features)], tf.float32),
            "user_profile": tf.TensorSpec([None, len(spec.profile_features)], tf.int32),
            "positives": tf.TensorSpec([None, self.config.positives], tf.int32),
        }
        made = tf.data.Dataset.from_generator(lambda: self.epoch(epoch), output_signature=signature)
        return made.prefetch(4)

    def epoch(self, epoch: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Every request once, or as many as one epoch holds, in a seeded order."""
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.requests))[: self.config.requests_per_epoch]
        for start in range(0, len(order), self.config.batch_size):
            yield self.batch(order[start : start + self.config.batch_size], rng)

    def batch(self, chosen: npt.NDArray[np.int64], rng: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
        """The model's inputs for some requests, with positives drawn from their labels."""
        requests, events = self.requests, self.events
        rows = requests.histories(chosen, self.config.history_length)
        known = rows >= 0
        ages = np.where(known, requests.at_s[chosen][:, None] - events.times[rows], 0)
        width = requests.label_ends[chosen] - requests.ends[chosen]
        draws = rng.random((len(chosen), self.config.positives)) * width[:, None]
        states = requests.states[chosen]
        unknown = states < 0
        features = np.full((len(chosen), self.states.features.shape[1]), np.nan, np.float32)
        profile = np.zeros((len(chosen), self.states.profile.shape[1]), np.int32)
        features[~unknown] = self.states.features[states[~unknown]]
        profile[~unknown] = self.states.profile[states[~unknown]]
        return {
            "history_codes": self.bundle.history_codes(np.where(known, events.items[rows], -1)),
            "history_types": np.where(known, events.types[rows], 0).astype(np.int32),
            "history_ages_s": ages.astype(np.float32),
            "user_features": features,
            "user_profile": profile,
            "positives": events.items[requests.ends[chosen][:, None] + draws.astype(np.int64)],
        }


class ValidationRecall:
    """Share of what users took in the validation window that is among the 100 nearest items of all."""

    def __init__(self, material: TrainingSet, bundle: Bundle, most_users: int = 1_000) -> None:
        requests = material.requests(VALIDATION)
        labels = material.labels(material.split.validation, material.target_codes)
        users, items = np.divmod(labels, bundle.n_items)
        places = np.searchsorted(requests.rows, users)
        asked = (places < len(requests.rows)) & (
            requests.rows[np.minimum(places, len(requests.rows) - 1)] == users
        )
        wanted = np.unique(users[asked])
        chosen = np.sort(np.random.default_rng(0).permutation(wanted)[:most_users])
        self._inputs = encoder_inputs(bundle, requests.users.rows(np.searchsorted(requests.rows, chosen)))
        kept = np.isin(users, chosen)
        self._rows, self._items = np.searchsorted(chosen, users[kept]), items[kept]
        self._n_users, self._n_items = len(chosen), bundle.n_items

    def __call__(self, trained: TrainedRetrieval) -> float:
        """The mean over users; 0 where nobody took anything."""
        if self._n_users == 0:
            return 0.0
        queries, vectors = trained.queries(self._inputs), trained.item_vectors(self._n_items)
        hits = np.zeros(len(self._rows), bool)
        for start in range(0, self._n_users, 256):
            scores = queries[start : start + 256] @ vectors.T
            k = min(RECALL_AT, self._n_items)
            least = np.partition(scores, self._n_items - k, axis=1)[:, self._n_items - k]
            mine = (self._rows >= start) & (self._rows < start + 256)
            rows = self._rows[mine] - start
            hits[mine] = scores[rows, self._items[mine]] >= least[rows]
        counts = np.bincount(self._rows, minlength=self._n_users)
        return float(np.mean(np.bincount(self._rows, hits, self._n_users) / np.maximum(counts, 1)))


def _encode(model: TwoTower, inputs: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    rows = len(inputs[QUERY_INPUTS[0]])
    parts = [
        model.query(**{name: inputs[name][start : start + 256] for name in QUERY_INPUTS}).numpy()
        for start in range(0, rows, 256)
    ]
    return np.concatenate(parts)
