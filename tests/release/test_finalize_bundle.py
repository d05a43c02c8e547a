"""What was evaluated is what is sealed."""

import pytest

from pipelines.errors import ReleaseError
from pipelines.release.finalize_bundle import check_unchanged, file_hashes, learned_files
from tests.serving.tiny_bundle import write_tiny_bundle


def test_a_file_that_changed_after_the_evaluation_is_named(tmp_path):
    bundle = write_tiny_bundle(tmp_path / "bundle")
    evaluated = file_hashes(bundle)
    check_unchanged(bundle, evaluated)
    (bundle / "item_vectors.npy").write_bytes(b"other")
    with pytest.raises(ReleaseError, match=r"other content in item_vectors\.npy"):
        check_unchanged(bundle, evaluated)
    (bundle / "item_vectors.npy").unlink()
    with pytest.raises(ReleaseError, match=r"item_vectors\.npy"):
        check_unchanged(bundle, evaluated)


def test_counts_may_be_brought_up_to_the_cutoff_and_a_report_may_be_added(tmp_path):
    bundle = write_tiny_bundle(tmp_path / "bundle")
    evaluated = file_hashes(bundle)
    (bundle / "popularity.npy").write_bytes(b"newer counts")
    (bundle / "report.json").write_text("{}")
    check_unchanged(bundle, learned_files(evaluated))
    with pytest.raises(ReleaseError, match=r"popularity\.npy"):
        check_unchanged(bundle, evaluated)
