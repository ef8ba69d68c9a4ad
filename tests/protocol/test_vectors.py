"""The golden vectors: the product reads each one as written, and writes them again byte for byte."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from luminous.crypto.accountant import (
    compute_budget_nano,
    compute_cost_nano,
    compute_noise_milli,
    compute_spent_epsilon,
)
from luminous.crypto.digest import digest
from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import is_public_key, is_signed, signer_from_seed
from luminous.crypto.noise import discrete_gaussian, round_conditionally
from luminous.crypto.rotation import compute_signs, rotate, unrotate
from luminous.protocol import admission
from luminous.protocol.admission import admit, topic_of
from luminous.protocol.aggregation import aggregate, select
from luminous.protocol.cards import read_card, write_card
from luminous.protocol.certificate import read_certificate, verify_certificate
from luminous.protocol.codec import decode, encode
from luminous.protocol.constitution_table import table_digest
from luminous.protocol.deltas import LearningLaw
from luminous.protocol.envelope import Admitted, seal, signing_digest
from luminous.protocol.genesis import network_id, read_genesis, write_genesis
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.peer_exchange import read_answer, read_question, write_answer, write_question
from luminous.protocol.proposals import Threshold
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.reconciliation import Client, Server, Snapshot
from luminous.protocol.roll import Roll, faulty_max, quorum
from luminous.protocol.sync_messages import decode_answer, decode_request, encode_answer, encode_request
from luminous.protocol.tally import decide, turnout_min
from luminous.simulations.make_vectors import FILES, text_of
from luminous.simulations.vectors.learning import aggregate_shown
from luminous.simulations.vectors.reading import derive_from, minutes_shown
from luminous.simulations.vectors.scene import shown

FOLDER = Path(__file__).resolve().parents[1] / "vectors"


@cache
def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert found["schema"] == 1
    return found


def rows(name: str, part: str = "vectors") -> list[Any]:
    return [pytest.param(row, id=str(row.get("name", number))) for number, row in enumerate(load(name)[part])]


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


def network_of(name: str) -> NetworkId:
    return NetworkId(hexed(load(name)["network"]))


def value_of(written: Any) -> Any:
    if isinstance(written, dict):
        if "bytes" in written:
            return hexed(written["bytes"])
        return {key: value_of(item) for key, item in written["map"]}
    return [value_of(item) for item in written] if isinstance(written, list) else written


def refused(found: object) -> str:
    assert isinstance(found, Refused), found
    return found.reason.value


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_files_are_what_the_generator_writes(name: str) -> None:
    assert text_of(name).encode() == (FOLDER / f"{name}.json").read_bytes(), (
        f"{name}.json differs: the wire changed. If that is meant, decide it (docs/protocol.md, Versions), "
        "then run python -m luminous.simulations.make_vectors"
    )


def test_there_is_no_file_that_nobody_writes() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(FILES)


def test_every_kind_with_a_schema_has_an_envelope() -> None:
    assert {row["number"] for row in load("envelopes")["vectors"]} == {int(kind) for kind in SCHEMAS}


def test_every_reason_of_admission_has_a_refused_envelope() -> None:
    reachable = {
        "oversized",
        "malformed",
        "not_canonical",
        "wrong_version",
        "foreign_network",
        "unknown_kind",
    }
    reachable |= {"bad_signature", "bad_key", "out_of_bounds", "no_roll"}
    assert {row["reason"] for row in load("envelopes_refused")["vectors"]} == reachable
    assert "bad_key" in {row["reason"] for row in load("genesis")["refused"]}


@pytest.mark.parametrize("row", rows("codec"))
def test_values_have_one_encoding(row: Any) -> None:
    value = value_of(row["value"])
    assert encode(value) == hexed(row["cbor"])
    found = decode(hexed(row["cbor"]))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("row", rows("codec", "refused"))
def test_other_encodings_are_refused(row: Any) -> None:
    assert refused(decode(hexed(row["cbor"]))) == row["reason"]


def test_digests_keep_domains_and_parts_apart() -> None:
    found = load("digests")["vectors"]
    for row in found:
        parts = [hexed(part) for part in row["parts"]]
        assert digest(row["domain"], *parts, size_bytes=row["size_bytes"]).hex() == row["digest"]
    assert len({row["digest"] for row in found}) == len(found)


@pytest.mark.parametrize("row", rows("ed25519"))
def test_edges_of_ed25519(row: Any) -> None:
    public = hexed(row["public"])
    assert is_public_key(public) == row["is_public_key"]
    assert is_signed(public, hexed(row["message"]), hexed(row["signature"])) == row["is_signed"]


def test_constants() -> None:
    found = load("constants")["constants"]
    assert found["kinds"] == {kind.name: int(kind) for kind in Kind}
    assert found["reasons"] == [reason.value for reason in Reason]
    assert found["topic"] == topic_of(network_of("constants"))
    assert found["constitution_digest"] == table_digest().hex()
    assert (found["layout_id"], found["layout"]) == (FIXES_1.id.hex(), [list(pair) for pair in FIXES_1.pairs])


@pytest.mark.parametrize("row", rows("genesis"))
def test_genesis(row: Any) -> None:
    raw = hexed(row["raw"])
    found = read_genesis(raw)
    assert shown(found) == row["genesis"]
    assert write_genesis(found) == raw  # type: ignore[arg-type]
    assert network_id(raw).hex() == row["network"]


@pytest.mark.parametrize("row", rows("genesis", "refused"))
def test_genesis_refused(row: Any) -> None:
    assert refused(read_genesis(hexed(row["raw"]))) == row["reason"]


@pytest.mark.parametrize("row", rows("cards"))
def test_cards(row: Any) -> None:
    found = read_card(row["line"])
    assert shown(found) == row["card"]
    assert write_card(found) == row["line"]  # type: ignore[arg-type]


@pytest.mark.parametrize("row", rows("cards", "refused"))
def test_cards_refused(row: Any) -> None:
    assert refused(read_card(row["line"])) == row["reason"]


@pytest.mark.parametrize("row", rows("envelopes"))
def test_envelopes(row: Any) -> None:
    network, kind = network_of("envelopes"), Kind[row["kind"]]
    signer = signer_from_seed(hexed(row["seed"]))
    payload = decode(hexed(row["payload_cbor"]))
    assert not isinstance(payload, Refused)
    author = AuthorId(hexed(row["author"]))
    sequence, at_ms = row["sequence"], row["issued_at_ms"]
    assert signing_digest(network, int(kind), author, sequence, at_ms, payload).hex() == row["signing_digest"]
    raw = hexed(row["raw"])
    assert seal(signer, network, kind, sequence, at_ms, payload) == raw
    found = admit(raw, network)
    assert isinstance(found, Admitted)
    assert (found.id.hex(), found.author, found.sequence) == (row["id"], author, sequence)
    assert shown(found.payload) == row["payload"]
    assert SCHEMAS[kind].pack(found.payload) == payload


def refused_raw(row: Any) -> bytes:
    return bytes(row["zeros"]) if "zeros" in row else hexed(row["raw"])


@pytest.mark.parametrize("row", rows("envelopes_refused"))
def test_envelopes_refused(row: Any) -> None:
    assert refused(admit(refused_raw(row), network_of("envelopes_refused"))) == row["reason"]


@pytest.mark.parametrize(
    ("check", "planted"),
    [
        ("is_signed", lambda *_: True),
        ("WIRE_VERSION", 2),
    ],
)
def test_a_check_left_out_of_admission_is_noticed(
    monkeypatch: pytest.MonkeyPatch, check: str, planted: object
) -> None:
    """The planted faults beside it."""
    monkeypatch.setattr(admission, check, planted)
    network = network_of("envelopes_refused")
    differs = []
    for row in load("envelopes_refused")["vectors"]:
        found = admit(refused_raw(row), network)
        differs += [row["name"]] if not isinstance(found, Refused) or found.reason != row["reason"] else []
    good = [admit(hexed(row["raw"]), network) for row in load("envelopes")["vectors"]]
    assert differs or not all(isinstance(item, Admitted) for item in good)


@pytest.mark.parametrize("part", ["requests", "answers"])
def test_sync_messages(part: str) -> None:
    network = network_of("sync")
    for row in load("sync")[part]:
        raw = hexed(row["raw"])
        found = decode_request(network, raw) if part == "requests" else decode_answer(raw)
        assert (type(found).__name__, shown(found)) == (row["type"], row["message"])
        again = encode_request(network, found) if part == "requests" else encode_answer(found)  # type: ignore[arg-type]
        assert again == raw


@pytest.mark.parametrize("part", ["requests", "answers"])
def test_sync_messages_refused(part: str) -> None:
    network = network_of("sync")
    for row in load("sync")[f"{part}_refused"]:
        raw = hexed(row["raw"])
        found = decode_request(network, raw) if part == "requests" else decode_answer(raw)
        assert refused(found) == row["reason"], row["name"]


@pytest.mark.parametrize("row", rows("sync", "dialogues"))
def test_dialogues(row: Any) -> None:
    records = [(at_ms, hexed(identifier)) for at_ms, identifier in load("sync")["records"]]
    ours = Snapshot(sorted(records[number] for number in row["client"]))
    theirs = Snapshot(sorted(records[number] for number in row["server"]))
    client, server = Client(ours), Server(theirs)
    have: list[str] = []
    need: list[str] = []
    message: bytes | None = client.initiate()
    messages = list(map(hexed, row["messages"]))
    while message:
        assert message == messages.pop(0)
        answer = server.respond(message)
        assert answer == messages.pop(0)
        progress = client.advance(answer)  # type: ignore[arg-type]
        assert not isinstance(progress, Refused)
        have += [item.hex() for item in progress.have]
        need += [item.hex() for item in progress.need]
        message = progress.message
    assert messages == []
    assert (sorted(have), sorted(need)) == (row["have"], row["need"])
    lacking = {records[n][1].hex() for n in row["server"]} - {records[n][1].hex() for n in row["client"]}
    assert set(need) == lacking


@pytest.mark.parametrize("part", ["questions", "answers"])
def test_peer_exchange(part: str) -> None:
    read: Any = read_question if part == "questions" else read_answer
    write: Any = write_question if part == "questions" else write_answer
    for row in load("peer_exchange")[part]:
        found = read(hexed(row["raw"]))
        assert (shown(found), write(found)) == (row["message"], hexed(row["raw"])), row["name"]
    for row in load("peer_exchange")[f"{part}_refused"]:
        assert refused(read(hexed(row["raw"]))) == row["reason"], row["name"]


def test_tallies_and_quorums() -> None:
    found = load("tally")
    for row in found["vectors"]:
        numbers = [row[name] for name in ("members", "yes", "no", "abstain", "void", "grey")]
        tally = decide(Threshold[row["threshold"]], *numbers)
        assert (tally.verdict, tally.is_robust) == (row["verdict"], row["is_robust"]), row
    for row in found["rolls"]:
        members = row["members"]
        assert (faulty_max(members), quorum(members)) == (row["faulty_max"], row["quorum"])
        assert {item.name: turnout_min(item, members) for item in Threshold} == row["turnout_min"]


@pytest.mark.parametrize("row", rows("minutes"))
def test_minutes(row: Any) -> None:
    network = network_of("minutes")
    roll = Roll(tuple(AuthorId(hexed(member)) for member in load("minutes")["roll"]))
    envelopes = [admit(hexed(raw), network) for raw in row["envelopes"]]
    held = [item for item in envelopes if isinstance(item, Admitted)]
    assert len(held) == len(row["envelopes"])
    names, decided = map(hexed, row["reports"]), map(hexed, row["decided"])
    assert minutes_shown(derive_from(roll, reversed(held), names, decided)) == row["derived"]


@pytest.mark.parametrize("row", rows("certificates"))
def test_certificates(row: Any) -> None:
    roll = Roll(tuple(AuthorId(hexed(member)) for member in load("certificates")["roll"]))
    found = read_certificate(hexed(row["raw"]))
    assert not isinstance(found, Refused)
    assert found.value.hex() == row["value"]
    wrong = verify_certificate(found, NetworkId(hexed(row["network"])), roll)
    assert (None if wrong is None else wrong.reason.value) == row["reason"]


@pytest.mark.parametrize("row", rows("aggregates"))
def test_aggregates(row: Any) -> None:
    network, window = network_of("aggregates"), load("aggregates")["window"]
    law = LearningLaw(**row["law"])
    envelopes = [admit(hexed(raw), network) for raw in row["envelopes"]]
    held = [item for item in envelopes if isinstance(item, Admitted)]
    chosen = select(reversed(held), window, law, FIXES_1.id, None)
    assert [item.id.hex() for item in chosen] == row["selected"]
    assert aggregate_shown(aggregate(chosen, window, law, network)) == row["aggregate"]


def test_privacy_arithmetic() -> None:
    found = load("privacy")
    delta = float(found["delta"])
    for row in found["multipliers"]:
        noise = compute_noise_milli(row["epsilon_milli"] / 1000, delta, row["releases"])
        assert (noise, compute_cost_nano(noise)) == (row["noise_milli"], row["cost_nano"])
    for row in found["budgets"]:
        assert compute_budget_nano(row["epsilon_milli"] / 1000, delta) == row["budget_nano"]
    for row in found["spent"]:
        spent = compute_spent_epsilon(row["cost_nano"], delta) * 1000
        assert spent <= row["epsilon_milli"] < spent + 1


def test_rotation_and_noise() -> None:
    found = load("privacy")
    turn = found["rotation"]
    signs = compute_signs(hexed(turn["network"]), turn["window"], len(turn["vector"]))
    assert list(signs) == turn["signs"]
    assert rotate(turn["vector"], signs) == turn["rotated_by_eight"]
    assert unrotate(turn["rotated_by_eight"], signs) == turn["back_times_eight"]
    assert turn["back_times_eight"] == [8 * value for value in turn["vector"]]
    entropy = found["entropy"]
    assert SeededEntropy(hexed(entropy["seed"])).take(64).hex() == entropy["bytes"]
    for name in ("discrete_gaussian", "discrete_gaussian_small"):
        part = found[name]
        stream = SeededEntropy(hexed(part["seed"]))
        assert [discrete_gaussian(stream, *part["variance"]) for _ in part["draws"]] == part["draws"]
    part = found["rounding"]
    stream = SeededEntropy(hexed(part["seed"]))
    rounded = round_conditionally(stream, part["numerators"], part["denominator"], part["norm_squared_max"])
    assert list(rounded) == part["rounded"]
