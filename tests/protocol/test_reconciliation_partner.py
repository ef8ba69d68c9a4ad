"""Whole dialogues with an independent implementation, in both roles, with and without full frames."""

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from luminous.protocol import reconciliation
from luminous.protocol.ranges import encode_varint
from luminous.protocol.reasons import Refused
from luminous.protocol.reconciliation import Client, Server, Snapshot

sys.path.insert(0, str(Path(__file__).parent))
from negentropy_partner import Partner, why_absent

pytestmark = pytest.mark.skipif(why_absent() is not None, reason=str(why_absent()))

Records = list[tuple[int, bytes]]


@pytest.fixture(scope="module")
def partner() -> Iterator[Partner]:
    one = Partner()
    yield one
    one.close()


def draw(seed: int, common: int, left: int, right: int, span: int) -> tuple[Records, Records]:
    random = Random(seed)
    drawn = [(1 + random.randrange(span), random.randbytes(32)) for _ in range(common + left + right)]
    return sorted(drawn[: common + left]), sorted(drawn[:common] + drawn[common + left :])


CASES = [
    (0, 0, 0, 10),
    (0, 0, 40, 10),
    (0, 70, 0, 1),
    (1, 1, 1, 1),
    (100, 1, 0, 10**9),
    (500, 10, 10, 3),
    (3000, 40, 60, 10**9),
    (1000, 600, 500, 10**9),
]


def dialogue_as_client(partner: Partner, ours: Records, theirs: Records, frame: int) -> int:
    partner.open(theirs, frame)
    client = Client(Snapshot(ours), frame)
    have: set[bytes] = set()
    need: set[bytes] = set()
    message: bytes | None = client.initiate(3)
    rounds = 0
    while message is not None:
        assert len(message) <= frame
        answer, _, _ = partner.reconcile(message)
        assert answer is not None
        progress = client.advance(answer)
        assert not isinstance(progress, Refused)
        have.update(progress.have)
        need.update(progress.need)
        message = progress.message
        rounds += 1
    assert progress.is_complete
    assert have == {i for _, i in ours} - {i for _, i in theirs}
    assert need == {i for _, i in theirs} - {i for _, i in ours}
    return rounds


def dialogue_as_server(partner: Partner, ours: Records, theirs: Records, frame: int) -> int:
    partner.open(theirs, frame)
    server = Server(Snapshot(ours), frame)
    have: set[bytes] = set()
    need: set[bytes] = set()
    message: bytes | None = partner.initiate()
    rounds = 0
    while message is not None:
        answer = server.respond(message)
        assert not isinstance(answer, Refused), answer
        assert len(answer) <= frame
        message, more_have, more_need = partner.reconcile(answer)
        have |= more_have
        need |= more_need
        rounds += 1
        assert rounds < 100
    assert have == {i for _, i in theirs} - {i for _, i in ours}
    assert need == {i for _, i in ours} - {i for _, i in theirs}
    return rounds


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("frame", [4096, 65_536])
def test_we_ask_they_answer(partner: Partner, case: tuple[int, int, int, int], frame: int) -> None:
    ours, theirs = draw(7, *case)
    assert dialogue_as_client(partner, ours, theirs, frame) >= 1


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("frame", [4096, 65_536])
def test_they_ask_we_answer(partner: Partner, case: tuple[int, int, int, int], frame: int) -> None:
    ours, theirs = draw(8, *case)
    assert dialogue_as_server(partner, ours, theirs, frame) >= 1


def test_equal_sets_need_one_round_which_a_wrong_fingerprint_breaks(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = draw(9, 2000, 0, 0, 10**9)
    assert dialogue_as_client(partner, ours, theirs, 65_536) == 1
    assert dialogue_as_server(partner, ours, theirs, 65_536) == 1
    # Two of our own sides would still agree with each other under this fault: only the partner sees it.
    monkeypatch.setattr(reconciliation, "encode_varint", lambda count: encode_varint(count + 1))
    assert dialogue_as_client(partner, ours, theirs, 65_536) > 1
