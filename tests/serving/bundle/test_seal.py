import base64
import json
import os
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.bundle import key_id, load_private_key, load_public_key, verify, write_key_pair
from serving.bundle.manifest import FileFact, Manifest
from serving.bundle.seal import seal
from serving.errors import BundleError

FACTS = {
    "as_of": "2024-05-01T02:00:00+02:00",
    "lake_versions": {"events": 3},
    "feature_services": ["retrieval_v1"],
    "metrics": {"ndcg_at_10": 0.25, "name": "Größe"},
    "gate": {"passed": True, "reasons": ["beats personal_frequency"]},
    "code_revision": "abc",
}
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TRUSTED = [KEY.public_key()]


@pytest.fixture
def sealed(tiny_directory: Path, tmp_path: Path) -> Path:
    directory = Path(shutil.copytree(tiny_directory, tmp_path / "bundle"))
    seal(directory, FACTS, KEY)
    return directory


def edit_manifest(directory: Path, change) -> None:
    """Change the manifest's content and leave its signature as it is."""
    path = directory / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def refused(directory: Path, *parts: str) -> None:
    """The bundle is refused with a message that holds every part."""
    with pytest.raises(BundleError) as caught:
        verify(directory, TRUSTED)
    for part in parts:
        assert part in str(caught.value)


def test_a_sealed_bundle_verifies_and_tells_its_facts(sealed: Path):
    manifest = verify(sealed, [OTHER_KEY.public_key(), *TRUSTED])
    assert manifest.as_of == datetime(2024, 5, 1, tzinfo=UTC)
    assert manifest.gate_passed
    assert manifest.key_id == key_id(KEY.public_key())
    assert manifest.facts["metrics"]["name"] == "Größe"
    assert manifest.files["popularity.npy"].size == 8 * 4 + 128
    assert sorted(manifest.files) == sorted(p.name for p in sealed.iterdir() if p.name != "manifest.json")


def test_sealing_again_gives_the_same_release(sealed: Path):
    first = verify(sealed, TRUSTED)
    assert seal(sealed, FACTS, KEY).digest == first.digest
    assert seal(sealed, {**FACTS, "code_revision": "def"}, KEY).digest != first.digest


def test_an_unsealed_bundle_is_refused(tiny_directory: Path):
    refused(tiny_directory, "manifest.json", "no manifest")


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path):
    refused(tmp_path / "nothing", "nothing", "expected a directory")


def test_a_bundle_of_another_key_is_refused(sealed: Path):
    seal(sealed, FACTS, OTHER_KEY)
    refused(sealed, "manifest.json", key_id(KEY.public_key()), key_id(OTHER_KEY.public_key()))


def test_a_foreign_signature_under_the_trusted_name_is_refused(sealed: Path):
    ours = key_id(KEY.public_key())
    seal(sealed, FACTS, OTHER_KEY)
    edit_manifest(sealed, lambda content: content.update(key_id=ours))
    refused(sealed, "manifest.json", "does not hold")


def test_a_signature_has_one_spelling(sealed: Path):
    """The last letter before `==` has four bits that base64 ignores."""

    def respell(content: dict) -> None:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        last = letters.index(content["signature"][-3])
        content["signature"] = content["signature"][:-3] + letters[last ^ 1] + "=="

    edit_manifest(sealed, respell)
    refused(sealed, "manifest.json", "canonical")


def test_an_altered_fact_is_refused(sealed: Path):
    edit_manifest(sealed, lambda content: content["facts"]["metrics"].update(ndcg_at_10=0.99))
    refused(sealed, "manifest.json", "does not hold")


def test_an_altered_byte_is_refused_by_its_hash(sealed: Path):
    path = sealed / "popularity.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    refused(sealed, "popularity.npy", "SHA-256")


def test_a_file_of_another_length_is_refused_by_its_size(sealed: Path):
    with (sealed / "spec.json").open("a") as file:
        file.write(" ")
    refused(sealed, "spec.json", "bytes")


def test_a_missing_file_is_refused(sealed: Path):
    (sealed / "neighbours.npy").unlink()
    refused(sealed, "neighbours.npy", "no such file")


@pytest.mark.parametrize("name", ["extra.npy", ".hidden", "model.pkl"])
def test_an_extra_file_is_refused(sealed: Path, name: str):
    (sealed / name).write_bytes(b"x")
    refused(sealed, name, "only files that manifest.json names")


def test_a_symbolic_link_is_refused_even_to_the_same_bytes(sealed: Path, tmp_path: Path):
    original = (sealed / "spec.json").rename(tmp_path / "spec.json")
    (sealed / "spec.json").symlink_to(original)
    refused(sealed, "spec.json", "symbolic link")


def test_a_linked_text_index_is_refused(sealed: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (sealed / "text_index").symlink_to(tmp_path / "elsewhere")
    refused(sealed, "text_index", "symbolic link")


def test_a_directory_inside_is_refused(sealed: Path):
    (sealed / "more").mkdir()
    refused(sealed, "more", "regular file")


def test_a_pipe_is_refused_and_not_read(sealed: Path):
    (sealed / "report.json").unlink(missing_ok=True)
    os.mkfifo(sealed / "report.json")
    refused(sealed, "report.json", "regular file")


@pytest.mark.parametrize(
    "path",
    [
        "../outside.npy",
        "/etc/passwd",
        "text_index/../../x.idx",
        "a\\b.npy",
        "x\0.npy",
        "./spec.json",
        "model.pkl",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused_even_when_signed(sealed: Path, path: str):
    """The key's owner could be tricked into signing it: the reader does not rely on the writer."""
    good = verify(sealed, TRUSTED)
    bad = Manifest(good.facts, {**good.files, path: FileFact(1, "0" * 64)}, good.key_id)
    signature = base64.b64encode(KEY.sign(bad.signed_bytes())).decode()
    (sealed / "manifest.json").write_text(json.dumps({**bad.body(), "signature": signature}))
    refused(sealed, "path that is none")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"null",
        b'{"format": 2}',
        b'{"format": 1}',
        b'{"format": 1, "format": 1}',
        b'{"format": NaN}',
        b"[" * 100_000,
        b'{"format": 1, "key_id": "k", "facts": {}, "files": {}, "signature": "s"}',
        b'{"format": 1, "key_id": "k", "facts": [], "files": {}, "signature": "s"}',
    ],
)
def test_a_manifest_that_is_none_is_refused(sealed: Path, content: bytes):
    (sealed / "manifest.json").write_bytes(content)
    refused(sealed, "manifest.json")


def test_a_lone_surrogate_in_a_fact_is_refused(sealed: Path):
    edit_manifest(sealed, lambda content: content["facts"].update(code_revision="\ud800"))
    refused(sealed, "manifest.json", "does not hold")


def test_a_huge_manifest_is_refused_unread(sealed: Path):
    (sealed / "manifest.json").write_bytes(b" " * (8 * 1024 * 1024 + 1))
    refused(sealed, "manifest.json", "at most")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"gate": {"passed": "yes"}}, "gate"),
        ({"gate": None}, "gate"),
        ({"as_of": "2024-05-01T00:00:00"}, "offset from UTC"),
        ({"as_of": 5}, "ISO 8601"),
        ({"metrics": {"x": float("nan")}}, "JSON"),
        ({"metrics": {"x": object()}}, "JSON"),
    ],
)
def test_facts_that_tell_too_little_are_not_sealed(sealed: Path, change: dict, part: str):
    with pytest.raises(BundleError, match=part):
        seal(sealed, {**FACTS, **change}, KEY)


@pytest.mark.parametrize("missing", sorted(FACTS))
def test_every_fact_is_needed(sealed: Path, missing: str):
    with pytest.raises(BundleError, match=missing):
        seal(sealed, {name: value for name, value in FACTS.items() if name != missing}, KEY)


def test_a_release_that_did_not_pass_says_so(sealed: Path):
    seal(sealed, {**FACTS, "gate": {"passed": False, "reasons": ["worse"]}}, KEY)
    assert not verify(sealed, TRUSTED).gate_passed


def test_a_foreign_file_is_not_sealed(sealed: Path):
    (sealed / "model.pkl").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"model\.pkl"):
        seal(sealed, FACTS, KEY)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_changed_byte_anywhere_goes_unnoticed(sealed: Path, data: st.DataObject):
    path = data.draw(st.sampled_from(sorted(p.name for p in sealed.iterdir())))
    original = (sealed / path).read_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[place] ^= data.draw(st.integers(1, 255))
    (sealed / path).write_bytes(changed)
    try:
        if path == "manifest.json" and _says_the_same(original, bytes(changed)):
            verify(sealed, TRUSTED)
        else:
            with pytest.raises(BundleError):
                verify(sealed, TRUSTED)
    finally:
        (sealed / path).write_bytes(original)


def _says_the_same(one: bytes, other: bytes) -> bool:
    """Whether only blanks between the manifest's words changed."""
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


def test_the_private_key_is_its_owners_alone_and_never_overwritten(tmp_path: Path):
    private, public = tmp_path / "keys" / "release.key", tmp_path / "keys" / "release.pub"
    key = write_key_pair(private, public)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert key_id(load_public_key(public)) == key_id(key.public_key())
    assert key_id(load_private_key(private).public_key()) == key_id(key.public_key())
    with pytest.raises(BundleError, match="not overwritten"):
        write_key_pair(private, public)
    assert key_id(load_private_key(private).public_key()) == key_id(key.public_key())


def test_files_that_are_no_keys_are_named(tmp_path: Path):
    (tmp_path / "bad.key").write_text("no key")
    for load in (load_private_key, load_public_key):
        with pytest.raises(BundleError, match=r"bad\.key"):
            load(tmp_path / "bad.key")
        with pytest.raises(BundleError, match=r"absent\.key"):
            load(tmp_path / "absent.key")


def test_a_file_in_the_text_index_is_sealed_and_its_lock_is_not(sealed: Path):
    (sealed / "text_index").mkdir()
    (sealed / "text_index" / "meta.json").write_text("{}")
    (sealed / "text_index" / ".managed.json").write_text("[]")
    assert "text_index/.managed.json" in seal(sealed, FACTS, KEY).files
    verify(sealed, TRUSTED)
    (sealed / "text_index" / ".tantivy-meta.lock").write_text("")
    with pytest.raises(BundleError, match="lock"):
        seal(sealed, FACTS, KEY)


def test_the_manifest_of_a_big_array_is_right(sealed: Path):
    np.save(sealed / "extra_array.npy", np.zeros(1000, np.float32))
    assert seal(sealed, FACTS, KEY).files["extra_array.npy"].size == 4128
