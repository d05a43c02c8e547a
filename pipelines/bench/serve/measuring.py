"""The figures of `aisle bench serve`: one serving process after the other, under load from beside it."""

import json
import os
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.bench.serve.home import Size, make_home, titles_of
from pipelines.bench.serve.load import Plan
from pipelines.bench.serve.process import Serving, mlflow_serving, start_load
from pipelines.bench.serve.release import AS_OF, EVENT_TYPES, drawn_items, item_name
from pipelines.bench.serve.shoppers import user_name
from pipelines.bench.serve.swapping import swap_under_load
from pipelines.runtime import Console, Limits, run_isolated

BODIES = 4_096
"""Different requests that are sent in turn."""
OVERLOAD = 3
"""Times the saturation that is offered in the overload."""
SWAP_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How long is measured."""

    warm_s: float
    rate_s: float
    saturation_s: float
    search_s: float
    swap_s: float
    overload_s: float
    memory_of: tuple[int, ...]
    """Numbers of workers whose memory is measured."""


FULL = Effort(5, 30, 10, 10, 60, 15, (1, 4))
QUICK = Effort(2, 5, 3, 3, 4, 3, (1, 4))


def measure(
    folder: Path, size: Size, rate: float, effort: Effort, console: Console, workers: int | None = None
) -> dict[str, Any]:
    """The figures, as `aisle bench serve --json` prints them.

    Args:
        folder: Where homes are kept from one run to the next.
        size: Of the shop.
        rate: Requests per second of the load at which latencies are measured.
        effort: How long is measured.
        console: Where a person sees what is done.
        workers: Processes that answer; None takes serving's default.

    Returns:
        `saturation_rps` is what eight connections get that ask again as soon as they are answered, of ours
        and of `mlflow models serve` with as many workers; `answered_share_of_capacity` is answers 200 per
        second over it while three times as much is offered. `load` is the machine's before the start.
    """
    load_before = round(os.getloadavg()[0], 2)
    with console.step(f"A shop of {size.items:,} items and {size.users:,} users"):
        home = make_home(folder, size)
    rng = np.random.default_rng(0)
    shopper_ids = [user_name(number) for number in rng.integers(0, size.users, BODIES).tolist()]
    lists = [json.dumps({"user_id": one, "surface": "home", "k": 20}) for one in shopper_ids]
    told: dict[str, Any] = {"items": size.items, "users": size.users}
    with Serving(home, workers) as serving:
        told |= {"workers": serving.workers(), "load": load_before}
        port = serving.port

        def answers_of(bodies: Sequence[str], seconds: float, **plan: Any) -> dict[str, Any]:
            path = plan.pop("path", "/v1/recommendations")
            return _sent(Plan(port, path, list(bodies), seconds, **plan))

        with console.step(f"{rate:g} lists a second"):
            answers_of(lists, effort.warm_s, rate=rate)
            cpu = serving.cpu_seconds()
            answers = answers_of(lists, effort.rate_s, rate=rate)
            cpu = serving.cpu_seconds() - cpu
        told["rate"] = {"rps": rate, **_of(answers, "p50_ms", "p99_ms", "errors")}
        with console.step("Saturation"):
            saturation = answers_of(lists, effort.saturation_s)
        told["saturation_rps"] = round(saturation["answered_rps"], 1)
        told["cpu_ms_per_request"] = round(1_000 * cpu / max(1, answers["sent"]), 3)
        stages = serving.stages_ms()
        with console.step("Search"):
            texts = [json.dumps({"search_query": text, "user_id": one, "k": 20}) for text, one in zip(
                _searches(titles_of(home), rng), shopper_ids, strict=True
            )]  # fmt: skip
            found = answers_of(texts, effort.search_s, path="/v1/search", rate=rate / 4)
        searched = {"rps": rate / 4, **_of(found, "p50_ms", "p99_ms")}
        with console.step("Swaps under load"):
            limits = Limits(SWAP_LIMIT_S)
            swap = run_isolated(
                swap_under_load, limits, str(home), port, lists[:256], rate / 2, effort.swap_s
            )
        offered = OVERLOAD * max(told["saturation_rps"], 1.0)
        with console.step("Overload"):
            flood = answers_of(lists, effort.overload_s, rate=offered)
        overload = {
            "offered_rps": round(offered, 1),
            "answered_share_of_capacity": round(flood["answered_rps"] / max(told["saturation_rps"], 1.0), 3),
            "refusal_p99_ms": flood["refusal_p99_ms"],
        }
    with console.step("mlflow models serve"):
        peer = _mlflow_rps(home, size, told["workers"], effort)
    told |= {
        "mlflow_serve_saturation_rps": peer,
        "ratio": round(told["saturation_rps"] / peer, 1) if peer else None,
        "search": searched,
        "swap": swap,
        "overload": overload,
    }
    memory: dict[str, float] = {}
    for count in effort.memory_of:
        with console.step(f"Start and memory of {count}"), Serving(home, count) as fresh:
            told.setdefault("start_seconds", round(fresh.start_seconds, 2))
            _sent(Plan(fresh.port, "/v1/recommendations", lists[:512], 1.0, connections=8))
            memory[str(count)] = round(fresh.memory_mb())
    return {**told, "memory_mb": memory, "stages_ms": stages}


def _sent(plan: Plan) -> dict[str, Any]:
    output, _ = start_load(plan).communicate(timeout=plan.seconds + 60)
    answers: dict[str, Any] = json.loads(output)
    return answers


def _of(answers: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: answers[name] for name in names}


def _searches(titles: Sequence[str], rng: np.random.Generator) -> list[str]:
    """One or two words of a title each."""
    chosen = rng.integers(0, len(titles), BODIES).tolist()
    counts = rng.integers(1, 3, BODIES).tolist()
    return [" ".join(titles[one].split()[:count]) for one, count in zip(chosen, counts, strict=True)]


def _mlflow_rps(home: Path, size: Size, workers: int, effort: Effort) -> float:
    """What `mlflow models serve` answers of the same release with as many workers."""
    rng = np.random.default_rng(1)
    newest = int(AS_OF.timestamp())
    bodies = []
    for _ in range(256):
        length = 40
        history = {
            "item_ids": [item_name(one) for one in drawn_items(size.items, length, rng).tolist()],
            "event_types": rng.choice(EVENT_TYPES, length).tolist(),
            "event_times": (newest - np.sort(rng.integers(0, 120 * 86_400, length))).tolist(),
        }
        bodies.append(json.dumps({"dataframe_records": [{**history, "at": newest, "k": 20}]}))
    (model,) = sorted(home.glob("mlflow/artifacts/**/MLmodel"))[:1]
    with mlflow_serving(model.parent, workers) as port:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            bodies[0].encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            answer.read()
        answers = _sent(Plan(port, "/invocations", bodies, effort.saturation_s))
    return round(float(answers["answered_rps"]), 1)
