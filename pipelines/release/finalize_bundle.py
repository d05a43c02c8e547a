"""What a bundle needs between its evaluation and its seal: fresh counts, and the index that search reads."""

import shutil
import time
from pathlib import Path
from typing import Any

from pipelines.errors import ReleaseError
from pipelines.training import write_item_state
from serving.bundle import Bundle
from serving.errors import BundleError
from serving.search import index


def assemble(bundle: Path, release: Path, as_of: str) -> dict[str, Any]:
    """Copy the evaluated bundle, bring what is counted in it up to the cutoff, and build its text index.

    Evaluation needed popularity, neighbours and item features as they were before the test window; shoppers
    get them as of now. Nothing that was learned changes, and the evaluated bundle stays as it is.

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
        index.build(directory, opened.items)
    except BundleError as error:
        raise ReleaseError(f"the bundle in {evaluated} is not complete: {error}") from error
    write_item_state(evaluated, as_of, into=directory)
    return {"items": opened.n_items, "seconds": round(time.perf_counter() - started, 2)}
