"""What is said while nothing is served: why, and what to do."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from serving.releases.follower import Refusal, RegistryState
from serving.service import no_release_sentence

NOW = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "refusal", "said"),
    [
        (RegistryState(), None, "being asked which release is approved"),
        (RegistryState(True, "7", NOW), None, "Version 7 is approved and being fetched"),
        (RegistryState(True, None, NOW), None, "No release has been approved yet"),
        (RegistryState(False, None, NOW, "no route"), None, "cannot be asked: no route"),
        (RegistryState(True, "7", NOW), Refusal("7", "It is unsigned.", NOW), "was refused: It is unsigned."),
    ],
)
def test_the_cause_is_told_as_it_is_known(state: RegistryState, refusal: Refusal | None, said: str):
    assert said in no_release_sentence(SimpleNamespace(registry_state=state, refusal=refusal))
