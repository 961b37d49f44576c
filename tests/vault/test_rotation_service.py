"""Stored keys move from a master key to a key service, and back."""

from __future__ import annotations

import pytest

from flask_byok.errors import RotationStopped
from flask_byok.secret import Secret
from flask_byok.testing import FakeKeyService
from flask_byok.vault.keyring import Keyring
from tests.support import vectors
from tests.support.rotation_room import BOTH
from tests.support.rotation_room import counted
from tests.support.rotation_room import fill
from tests.support.rotation_room import opened
from tests.support.rotation_room import rotate
from tests.support.rotation_room import under
from tests.support.vault_room import Room


def ring_of(service: FakeKeyService, primary: str) -> Keyring:
    """Put a master key and a key service into one ring."""
    master_key = Secret(vectors.text_of(BOTH["k001"]))
    return Keyring(
        {"k001": master_key, "kms1": service}, primary, "default", app_secret="x" * 32
    )


@pytest.mark.case("B20")
def test_keys_move_to_a_service_and_back(room: Room) -> None:
    """The other entry of the ring is not needed any more after each move."""
    service = FakeKeyService()
    kept = fill(room, 40, "k001")

    assert rotate(room, ring_of(service, "kms1"), batch=7).moved == 40
    assert under(room) == {"kms1": 40}
    alone = Keyring({"kms1": service}, "kms1", "default", app_secret="x" * 32)
    assert opened(room, alone) == kept

    assert rotate(room, ring_of(service, "k001"), batch=7).moved == 40
    service.fail("down")
    assert opened(room, ring_of(service, "k001")) == kept


@pytest.mark.case("B20")
@pytest.mark.parametrize("primary", ["kms1", "k001"])
def test_a_service_that_goes_away_stops_the_move(room: Room, primary: str) -> None:
    """What was moved stays moved, the rest stays as it was, a second run ends it."""
    service = FakeKeyService()
    kept = fill(room, 20, "k001")

    if primary == "k001":
        rotate(room, ring_of(service, "kms1"))

    service.fail("down")

    with pytest.raises(RotationStopped, match="run it again") as caught:
        rotate(room, ring_of(service, primary), batch=5)

    assert caught.value.__context__ is None
    assert under(room) == {"k001" if primary == "kms1" else "kms1": 20}

    service.recover()
    assert rotate(room, ring_of(service, primary), batch=5).moved == 20
    assert counted(room, ring_of(service, primary)) == {primary: 20}
    assert opened(room, ring_of(service, primary)) == kept
