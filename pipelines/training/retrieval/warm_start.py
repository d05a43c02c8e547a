"""Warm start: a training that goes on from an earlier release's weights, where they fit and may be used.

They may be used when the earlier release saw nothing that this one is measured by: what it learned from ends
before this one's ranking requests begin, and what it was chosen by ends before this one's test window. They
fit when the settings that shape the model are the same and no vocabulary lost anything.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pipelines.evaluation import TimeSplit
from pipelines.training.data import TrainingData
from pipelines.training.retrieval.checkpoint import Checkpoint, shaping
from pipelines.training.retrieval.model import SequenceRetrieval
from pipelines.training.retrieval.named_weights import NamedWeights, named_tables, other_weights
from pipelines.training.retrieval.packed_sequences import PackedSequences
from pipelines.training.retrieval.train import begin
from pipelines.training.retrieval.weight_transfer import build_weights
from serving.bundle import Bundle

NAMED = 3
"""Lost names that a reason tells."""


def leakage_reasons(kept: Checkpoint, split: TimeSplit) -> list[str]:
    """Why these weights may not be used for a release with these windows; empty where they may.

    The release must be an earlier one. What its weights were learned from must end where this one's retrieval
    ends, or before: the ranker must not learn from candidates whose scores saw its labels. What their state
    was chosen by must end before this one's test window: nothing learned may look into it.
    """
    facts = kept.facts
    asked = (
        (facts.as_of < split.as_of, f"its as_of is {facts.as_of}, this one's {split.as_of}"),
        (
            facts.learned_until <= split.retrieval_until,
            f"it learned until {facts.learned_until}, this one's ranking requests begin at "
            f"{split.retrieval_until}",
        ),
        (
            facts.chosen_until <= split.test_from,
            f"it was chosen by events until {facts.chosen_until}, this one's test begins at "
            f"{split.test_from}",
        ),
    )
    return [reason for holds, reason in asked if not holds]


def incompatibilities(kept: Checkpoint, material: TrainingData) -> list[str]:
    """Why these weights do not fit the model of this shop as it is now; empty where they do."""
    config, bundle = material.config.retrieval, Bundle.open(material.workdir)
    now, then = shaping(config), kept.facts.settings
    changed = [name for name in now if now[name] != then.get(name)]
    if changed:
        return [f"setting {name} was {then.get(name)} and is {now[name]}" for name in changed]
    gone = [name for name in kept.facts.user_features if name not in bundle.spec.user_features]
    if gone:
        return [_lost("user features", gone)]
    tape = PackedSequences.of(material.learning)
    for place, member in enumerate(kept.members):
        model = build_weights(*begin(material, bundle, tape, place))
        tables = named_tables(model, bundle, config)
        reasons = _lost_names(kept, tables)
        if _has_other_shapes(kept, member, model, tables):
            reasons.append("the model has layers of other shapes than it had")
        if reasons:
            return reasons
    return []


def _lost_names(kept: Checkpoint, tables: Mapping[str, NamedWeights]) -> list[str]:
    lost = {"tables": sorted(set(kept.names) - set(tables))}
    lost |= {
        name: table.lost(kept.names[name]).tolist() for name, table in tables.items() if name in kept.names
    }
    return [_lost(name, names) for name, names in lost.items() if names]


def _has_other_shapes(
    kept: Checkpoint,
    member: Mapping[str, npt.NDArray[np.float32]],
    model: SequenceRetrieval,
    tables: Mapping[str, NamedWeights],
) -> bool:
    """Whether code has changed the member's model since."""
    now = {f"other/{place}": tuple(one.shape) for place, one in enumerate(other_weights(model, tables))}
    widths = {name: int(table.weights.shape[1]) for name, table in tables.items() if name in kept.names}
    others = {name: values.shape for name, values in member.items() if name.startswith("other/")}
    return others != now or any(member[name].shape[1] != width for name, width in widths.items())


def _lost(what: str, names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:NAMED])
    return f"{what} lost {len(names)}: {shown}{', …' if len(names) > NAMED else ''}"
