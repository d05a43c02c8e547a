"""What a bundle needs between evaluation and seal: fresh counts, today's catalogue, the index of search."""

import hashlib
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import ReleaseError
from pipelines.training import serve_current_items, write_item_state
from serving.bundle import ITEMS, Bundle
from serving.errors import BundleError
from serving.search import index

COUNTED_FILES = frozenset({ITEMS}) | frozenset(
    f"{name}.npy"
    for name in (
        "popularity",
        "item_features",
        "neighbours",
        "neighbour_scores",
        "complements",
        "complement_scores",
        "followers",
        "follower_scores",
    )
)
"""Written anew between evaluation and seal: counts from the same data up to the cutoff, and the states of the
same items as they are now; nothing else may change."""


def assemble(bundle: Path, release: Path, as_of: str) -> dict[str, Any]:
    """Copy the evaluated bundle, bring counts and catalogue up to date, and build the text index.

    Evaluation needed popularity, neighbours and item features as they were before the test window; shoppers
    get them as of the cutoff, and titles, prices and stock as of now, whatever their date. Nothing that was
    learned changes, and the evaluated bundle stays as it is.

    Args:
        bundle: The directory of the evaluated bundle.
        release: The directory to make; replaced where it is there.
        as_of: The release's cutoff, ISO 8601.

    Returns:
        `items` and `seconds`.

    Raises:
        ReleaseError: A part of the bundle is missing or is not of its form.
    """
    started = time.perf_counter()
    evaluated, directory = bundle, release
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(evaluated, directory)
    try:
        opened = Bundle.open(directory)
        missing = [
            name
            for name, path in (("query encoder", opened.query_encoder_path), ("ranker", opened.ranker_path))
            if path is None
        ]
        if missing:
            raise ReleaseError(
                f"expected a bundle with both graphs, received one without {' and '.join(missing)}; "
                "run the training steps before the release"
            )
        serve_current_items(evaluated, directory)
        opened = Bundle.open(directory)
        index.build(directory, opened.items)
    except BundleError as error:
        raise ReleaseError(f"the bundle in {evaluated} is not complete: {error}") from error
    write_item_state(evaluated, as_of, into=directory)
    return {"items": opened.n_items, "seconds": round(time.perf_counter() - started, 2)}


def file_hashes(bundle: Path) -> dict[str, str]:
    """SHA-256 of each file of the bundle by name, without the report on it."""
    files = {}
    for path in sorted(bundle.iterdir()):
        if path.is_file() and not path.name.startswith((".", "report.")):
            with path.open("rb") as file:
                files[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return files


def learned_files(files: Mapping[str, str]) -> dict[str, str]:
    """Those of the evaluated files that are sealed as they are."""
    return {name: digest for name, digest in files.items() if name not in COUNTED_FILES}


def check_unchanged(bundle: Path, evaluated: Mapping[str, str]) -> None:
    """Refuse a bundle in which a file is not the one that was evaluated.

    Args:
        bundle: The directory to compare.
        evaluated: SHA-256 by file name, as of the evaluation.

    Raises:
        ReleaseError: A file changed or is gone.
    """
    present = file_hashes(bundle)
    changed = sorted(name for name, digest in evaluated.items() if present.get(name) != digest)
    if changed:
        raise ReleaseError(
            f"expected the files that were evaluated, received other content in {', '.join(changed)} of "
            f"{bundle}: only what was measured is sealed. Evaluate again: run the retraining once more"
        )
