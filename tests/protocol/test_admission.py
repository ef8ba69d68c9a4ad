"""Admission: what is accepted, each refusal by name, and ten thousand mutations refused."""

import random
from dataclasses import replace

import pytest

from luminous.crypto.keys import signer_from_seed
from luminous.protocol import admission
from luminous.protocol.admission import Admissions, Verdict, admit, judge_gossip
from luminous.protocol.ballots import Ballot, Choice
from luminous.protocol.bindings import BINDING, Binding
from luminous.protocol.codec import decode, encode
from luminous.protocol.envelope import ENVELOPE, Admitted, Envelope, seal, signed_digest, signing_digest
from luminous.protocol.identifiers import EnvelopeId, NetworkId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import FUTURE_SKEW_MS_MAX
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.minutes import Entry, Final, Heads, Lead, Report, Row, Vote
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, Uncertainty
from luminous.protocol.reasons import Reason, Refused
from luminous.simulations.vectors import refused, scene

NETWORK = NetworkId(b"n" * 16)
SIGNER = signer_from_seed(b"\x07" * 32)


def envelope(sequence: int = 1, network: NetworkId = NETWORK) -> bytes:
    payload = BINDING.pack(Binding("12D3KooWExample", 1_800_000_000_000))
    return seal(SIGNER, network, Kind.BINDING, sequence, 1_790_000_000_000, payload)


def resealed(**changes: object) -> bytes:
    """An envelope whose author signed the changed field: only the named check can refuse it."""
    value = decode(envelope())
    assert isinstance(value, dict)
    keys = {"version": 0, "network": 1, "kind": 2, "author": 3, "payload": 6, "signature": 7}
    for name, change in changes.items():
        value[keys[name]] = change  # type: ignore[index, assignment]
    return encode(value)


def test_an_honest_envelope_is_admitted() -> None:
    admitted = admit(envelope(), NETWORK)
    assert isinstance(admitted, Admitted)
    assert admitted.payload == Binding("12D3KooWExample", 1_800_000_000_000)
    assert admitted.author == SIGNER.public


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b"\xa0", Reason.MALFORMED),
        (b"\0" * 70_000, Reason.OVERSIZED),
        (resealed(version=2), Reason.WRONG_VERSION),
        (envelope(network=NetworkId(b"m" * 16)), Reason.FOREIGN_NETWORK),
        (resealed(kind=200), Reason.UNKNOWN_KIND),
        (resealed(signature=b"\0" * 64), Reason.BAD_SIGNATURE),
        (resealed(author=b"\0" * 32), Reason.BAD_SIGNATURE),
        (resealed(payload={1: "x", 2: 1, 3: 1}), Reason.MALFORMED),
        (resealed(payload={1: "x" * 1000, 2: 1}), Reason.OUT_OF_BOUNDS),
        (resealed(payload={1: "a\x1b[31mb", 2: 1}), Reason.OUT_OF_BOUNDS),
        (resealed(signature=b""), Reason.OUT_OF_BOUNDS),
    ],
)
def test_each_refusal_has_its_reason(raw: bytes, reason: Reason) -> None:
    answer = admit(raw, NETWORK)
    assert isinstance(answer, Refused)
    assert answer.reason is reason


def mutate(raw: bytes, chance: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(data))
        what = chance.randrange(4)
        if what == 0:
            data[place] ^= 1 << chance.randrange(8)
        elif what == 1:
            data[place] = chance.randrange(256)
        elif what == 2:
            del data[place]
        else:
            data.insert(place, chance.randrange(256))
    return bytes(data)


def test_ten_thousand_mutations_are_refused() -> None:
    chance = random.Random(1)
    raw = envelope()
    mutations = [mutated for mutated in (mutate(raw, chance) for _ in range(10_100)) if mutated != raw]
    assert len(mutations) >= 10_000
    assert [mutated for mutated in mutations if isinstance(admit(mutated, NETWORK), Admitted)] == []


def records() -> list[bytes]:
    """One honest envelope of every kind that a decision rests on."""
    day, digest = 1_790_000_000_000, b"d" * 32
    asked = Proposal(
        ProposalKind.PARAMETER,
        "fewer notices",
        "why not",
        (Effect("notify.per_day_max", 2),),
        Threshold.SIMPLE,
        day,
        Uncertainty(500, ("whether it helps",)),
    )
    payloads: list[tuple[Kind, object]] = [
        (Kind.PROPOSAL, asked),
        (Kind.BALLOT, Ballot(ProposalId(digest), Choice.YES, 1, digest)),
        (Kind.HEADS, Heads((Row(0, 1, digest * 2), Row(3, 0, digest)))),
        (Kind.REPORT, Report(1, digest, day, (Entry(ProposalId(digest), (digest,)),))),
        (Kind.LEAD, Lead(1, 2, 1, (EnvelopeId(digest),))),
        (Kind.VOTE, Vote(1, 2, digest)),
        (Kind.FINAL, Final(1, 2)),
    ]
    return [seal(SIGNER, NETWORK, kind, 1, day, SCHEMAS[kind].pack(payload)) for kind, payload in payloads]


@pytest.mark.parametrize("raw", records(), ids=lambda raw: f"{len(raw)} bytes")
def test_no_mutation_of_any_deciding_record_is_admitted(raw: bytes) -> None:
    """A hundred thousand altogether with the slow part below: 0 accepted."""
    assert isinstance(admit(raw, NETWORK), Admitted)
    assert _accepted(raw, 500, 2) == 0


@pytest.mark.slow
def test_a_hundred_thousand_mutated_records_are_refused() -> None:
    originals = records()
    assert sum(_accepted(raw, 100_000 // len(originals) + 1, 3) for raw in originals) == 0


def _accepted(raw: bytes, count: int, seed: int) -> int:
    chance = random.Random(seed)
    mutations = (mutate(raw, chance) for _ in range(count + count // 50))
    return sum(mutated != raw and isinstance(admit(mutated, NETWORK), Admitted) for mutated in mutations)


def test_what_was_signed_is_cut_from_the_bytes_as_it_was_encoded() -> None:
    for raw in [*records(), envelope(), envelope(2**40)]:
        value = decode(raw)
        assert not isinstance(value, Refused)
        opened = ENVELOPE.parse(value)
        assert isinstance(opened, Envelope)
        assert signed_digest(raw, opened) == signing_digest(
            NETWORK, opened.kind, opened.author, opened.sequence, opened.issued_at_ms, opened.payload
        )


def test_without_the_signature_check_mutations_would_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault beside it."""
    monkeypatch.setattr("luminous.protocol.admission.is_signed", lambda *_: True)
    chance = random.Random(1)
    raw = envelope()
    assert any(isinstance(admit(mutate(raw, chance), NETWORK), Admitted) for _ in range(500))


def test_the_future_is_nobodys_fault_and_age_is_no_reason() -> None:
    admitted = admit(envelope(), NETWORK)
    assert isinstance(admitted, Admitted)
    issued = admitted.issued_at_ms
    assert judge_gossip(admitted, issued - FUTURE_SKEW_MS_MAX) is Verdict.ACCEPT
    assert judge_gossip(admitted, issued - FUTURE_SKEW_MS_MAX - 1) is Verdict.IGNORE
    assert judge_gossip(admitted, issued + 10**12) is Verdict.ACCEPT
    assert judge_gossip(Refused(Reason.MALFORMED), issued) is Verdict.REJECT


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        (resealed(kind=200), Verdict.IGNORE),
        (resealed(version=2), Verdict.IGNORE),
        (encode({0: 2, 1: "fields of version 2"}), Verdict.IGNORE),
        # The opposite: what no release can ever read is the forwarder's fault.
        (resealed(version="2"), Verdict.REJECT),
        (resealed(version=True), Verdict.REJECT),
        (resealed(version=256), Verdict.REJECT),
        (envelope()[:-1], Verdict.REJECT),
        (resealed(kind=200, signature=b""), Verdict.REJECT),
        (resealed(signature=b"\0" * 64), Verdict.REJECT),
        (envelope(network=NetworkId(b"m" * 16)), Verdict.REJECT),
    ],
)
def test_what_a_newer_release_sends_is_ignored_and_what_nobody_sends_is_rejected(
    raw: bytes, verdict: Verdict
) -> None:
    assert judge_gossip(admit(raw, NETWORK), 1_790_000_000_000) is verdict


def test_a_key_outside_the_group_is_no_author(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        case for case in refused.make()["vectors"] if case["name"] == "a mixed-order author, properly signed"
    ]
    raw = bytes.fromhex(rows[0]["raw"])
    found = admit(raw, scene.NETWORK)
    assert isinstance(found, Refused) and found.reason is Reason.BAD_KEY
    # Only the check of the key refuses it: without that check it is admitted.
    monkeypatch.setattr(admission, "_is_author", lambda public: True)
    assert isinstance(admit(raw, scene.NETWORK), Admitted)


def test_remembered_answers_are_bounded_in_number_and_bytes() -> None:
    known = Admissions(NETWORK, size_max=10, size_bytes_max=3000)
    for number in range(100):
        known.admit(bytes([number]) * 100)
    assert len(known._known) == 10
    for number in range(5):
        known.admit(bytes([number]) * 1400)
    assert len(known._known) == 2 and known._size_bytes == 2800
    first = known.admit(envelope())
    assert known.admit(envelope()) is first


def test_one_change_anywhere_is_another_id() -> None:
    first, second = admit(envelope(1), NETWORK), admit(envelope(2), NETWORK)
    assert isinstance(first, Admitted)
    assert isinstance(second, Admitted)
    assert first.id != second.id
    assert replace(first, raw=second.raw) != first


def test_who_was_checked_before_is_not_checked_again_and_nobody_else_is_spared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The roll's keys were judged when they entered it; a stranger's never were."""
    asked: list[bytes] = []
    monkeypatch.setattr(admission, "_is_author", lambda public: bool(asked.append(public)))
    assert isinstance(admit(envelope(), NETWORK, frozenset({SIGNER.public})), Admitted)
    assert asked == []
    found = admit(envelope(), NETWORK, frozenset({b"x" * 32}))
    assert isinstance(found, Refused)
    assert found.reason is Reason.BAD_KEY
    assert asked == [SIGNER.public]
