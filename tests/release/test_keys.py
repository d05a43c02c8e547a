"""The signing key: private, made once, never half written."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.errors import ReleaseError
from pipelines.release.keys import describe, revoke, rotate, signing_key
from serving.bundle import key_id, load_public_key, trusted_keys


def test_the_key_is_made_at_first_use_and_then_kept(tmp_path):
    first = signing_key(tmp_path / "keys")
    again = signing_key(tmp_path / "keys")
    assert key_id(first.public_key()) == key_id(again.public_key())


def test_only_the_owner_can_read_the_private_half(tmp_path):
    signing_key(tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys" / "release.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_the_public_half_verifies_what_the_private_half_signs(tmp_path):
    key = signing_key(tmp_path)
    load_public_key(tmp_path / "release.pub").verify(key.sign(b"release"), b"release")


def test_a_lost_public_half_is_written_again(tmp_path):
    key = signing_key(tmp_path)
    (tmp_path / "release.pub").unlink()
    signing_key(tmp_path)
    assert key_id(load_public_key(tmp_path / "release.pub")) == key_id(key.public_key())


def test_a_lost_private_half_is_not_made_anew_under_the_releases_that_it_signed(tmp_path):
    signing_key(tmp_path)
    public = (tmp_path / "release.pub").read_bytes()
    (tmp_path / "release.key").unlink()
    with pytest.raises(ReleaseError, match="Put it back from the backup"):
        signing_key(tmp_path)
    assert (tmp_path / "release.pub").read_bytes() == public
    assert not (tmp_path / "release.key").exists()


def test_a_public_half_of_another_key_is_replaced(tmp_path):
    signing_key(tmp_path / "other")
    key = signing_key(tmp_path / "own")
    (tmp_path / "own" / "release.pub").write_bytes((tmp_path / "other" / "release.pub").read_bytes())
    signing_key(tmp_path / "own")
    assert key_id(load_public_key(tmp_path / "own" / "release.pub")) == key_id(key.public_key())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    signing_key(tmp_path)
    (tmp_path / "release.key").chmod(mode)
    with pytest.raises(ReleaseError, match=rf"{mode:o}; .*chmod 600"):
        signing_key(tmp_path)


def test_a_file_that_is_no_key_is_refused_and_left_alone(tmp_path):
    signing_key(tmp_path)
    (tmp_path / "release.key").write_text("not a key")
    with pytest.raises(ReleaseError, match="move the file away"):
        signing_key(tmp_path)
    assert (tmp_path / "release.key").read_text() == "not a key"


def test_first_uses_at_the_same_time_end_up_with_one_key_and_no_litter(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: key_id(signing_key(tmp_path / "k").public_key()), range(8)))
    assert len(set(keys)) == 1
    assert sorted(path.name for path in (tmp_path / "k").iterdir()) == ["release.key", "release.pub"]
    assert key_id(load_public_key(tmp_path / "k" / "release.pub")) == keys[0]


def test_rotation_trusts_the_earlier_key_until_it_is_revoked(tmp_path):
    first = key_id(signing_key(tmp_path).public_key())
    second = rotate(tmp_path)
    assert first != second
    assert set(trusted_keys([tmp_path])) == {first, second}
    assert key_id(signing_key(tmp_path).public_key()) == second
    revoke(tmp_path, first)
    assert set(trusted_keys([tmp_path])) == {second}
    assert describe(tmp_path) == [{"id": second, "state": "signs"}, {"id": first, "state": "revoked"}]


def test_rotation_helps_where_the_private_half_is_lost(tmp_path):
    first = key_id(signing_key(tmp_path).public_key())
    (tmp_path / "release.key").unlink()
    assert describe(tmp_path) == [{"id": first, "state": "lost"}]
    assert set(trusted_keys([tmp_path])) == {first}
    assert set(trusted_keys([tmp_path])) | {rotate(tmp_path)} == set(trusted_keys([tmp_path]))


def test_the_key_that_signs_and_an_unknown_one_are_not_revoked(tmp_path):
    signs = key_id(signing_key(tmp_path).public_key())
    with pytest.raises(ReleaseError, match="make another one first: aisle release key rotate"):
        revoke(tmp_path, signs)
    with pytest.raises(ReleaseError, match="received 0123456789abcdef"):
        revoke(tmp_path, "0123456789abcdef")


def test_a_revoked_key_is_not_trusted_where_its_file_is_put_back(tmp_path):
    first = key_id(signing_key(tmp_path).public_key())
    copy = (tmp_path / "release.pub").read_bytes()
    rotate(tmp_path)
    revoke(tmp_path, first)
    (tmp_path / "release-again.pub").write_bytes(copy)
    assert first not in trusted_keys([tmp_path])
