"""What is logged, in the shape that MLflow takes: flat names, texts, finite numbers."""

import json
import math
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlflow.entities import Metric
from pydantic import BaseModel

GIT_S = 10


def flattened(config: BaseModel | Mapping[str, Any] | object, prefix: str = "") -> dict[str, Any]:
    """Every field of a configuration under one flat name, nested fields joined by dots."""
    if isinstance(config, BaseModel):
        config = config.model_dump(mode="json")
    elif is_dataclass(config) and not isinstance(config, type):
        config = asdict(config)
    if not isinstance(config, Mapping):
        raise TypeError(
            f"expected a pydantic model, a dataclass or a mapping, received {type(config).__name__}"
        )
    flat: dict[str, Any] = {}
    for name, value in config.items():
        full = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(value, Mapping | BaseModel):
            flat.update(flattened(value, full))
        else:
            flat[full] = value
    return flat


def as_text(value: object) -> str:
    """The value as a tag or parameter holds it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def as_metric(name: str, value: float, step: int) -> Metric | None:
    """The number under a name that MLflow takes (`ndcg@10` → `ndcg_at_10`); None unless finite."""
    if not math.isfinite(value):
        return None
    allowed = re.sub(r"[^\w./ -]", "_", name.replace("@", "_at_"))
    return Metric(allowed, float(value), int(time.time() * 1000), step)


def code_revision() -> str:
    """Revision of the code that runs: the commit, `+changes` where files differ from it, else the version."""
    root = Path(__file__).resolve().parents[2]
    if (root / ".git").exists():
        try:
            commit = _git(root, "rev-parse", "HEAD")
            changed = _git(root, "status", "--porcelain", "--untracked-files=no")
        except (OSError, subprocess.SubprocessError):
            pass  # no git on this machine, or a checkout of somebody else's
        else:
            return f"{commit}+changes" if changed else commit
    return f"aisle {version('aisle')}"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", "-C", str(root), *arguments],  # noqa: S607 - whichever git the machine has
        capture_output=True,
        check=True,
        text=True,
        timeout=GIT_S,
    )
    return done.stdout.strip()
