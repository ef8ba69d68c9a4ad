"""Held envelopes: which deltas are over is known without looking at everything that is held."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.peers import records as keeping
from luminous.node.core.peers.records import Records
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, NetworkId
from luminous.protocol.kinds import Kind

KINDS = (Kind.DELTA, Kind.DELTA, Kind.BALLOT)


def envelope(number: int, kind: Kind, window: int) -> Admitted:
    identifier = EnvelopeId(number.to_bytes(32, "big"))
    payload = SimpleNamespace(window=window)
    return Admitted(identifier, NetworkId(bytes(16)), kind, AuthorId(bytes(32)), number, number, payload, b"")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 6), st.booleans()), max_size=30))
def test_retired_deltas_are_those_of_windows_before(items: list[tuple[Kind, int, bool]]) -> None:
    records = Records()
    for number, (kind, window, is_dropped) in enumerate(items):
        assert records.add(envelope(number, kind, window))
        if is_dropped:
            records.drop(EnvelopeId(number.to_bytes(32, "big")))
    for window in range(8):
        looked = {
            item.id
            for item in records.envelopes()
            if item.kind is Kind.DELTA and item.payload.window < window
        }
        told = records.deltas_before(window)
        assert set(told) == looked and len(told) == len(looked)


def test_what_minutes_rest_on_counts_for_no_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a network that decides every day runs for years, and a flood is as bounded as ever."""
    monkeypatch.setattr(keeping, "ENVELOPES_PER_AUTHOR_MAX", 4)
    records = Records()
    for number in range(100):
        assert records.add(envelope(number, Kind.BALLOT, 0))
        records.release([EnvelopeId(number.to_bytes(32, "big"))] * 2)
    flood = [records.add(envelope(number, Kind.BALLOT, 0)) for number in range(200, 210)]
    assert flood == [True] * 4 + [False] * 6
    for number in range(50):
        records.drop(EnvelopeId(number.to_bytes(32, "big")))
    assert not records.add(envelope(300, Kind.BALLOT, 0))
    records.drop(EnvelopeId((200).to_bytes(32, "big")))
    assert records.add(envelope(300, Kind.BALLOT, 0))
    assert not records.add(envelope(301, Kind.BALLOT, 0))
    assert records.add(envelope(302, Kind.BALLOT, 0), is_own=True)
