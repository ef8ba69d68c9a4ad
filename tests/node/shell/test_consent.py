"""Consent: off until said, tied to its schema, beaten by two variables, never guessed from damage."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from luminous.node.shell import consent
from luminous.node.shell.failure import Failure
from luminous.node.shell.settings import Consent


def both() -> consent.Record:
    record = consent.grant_network(consent.Record(), 1)
    return consent.grant_learning(record, "differential", (), 2)


def test_nothing_is_agreed_until_it_is_said(tmp_path: Path) -> None:
    record = consent.read(tmp_path / "consent.json")
    assert record == consent.Record()
    assert consent.in_force(record, {}) == consent.InForce(False, "LOCAL_ONLY", (), ())


def test_a_wish_in_the_configuration_opens_nothing_and_says_so() -> None:
    force = consent.in_force(consent.Record(), {}, is_wished=True)
    assert not force.network
    assert force.level == "LOCAL_ONLY"
    assert "wish" in force.why[0]


def test_what_was_granted_is_kept_and_in_force(tmp_path: Path) -> None:
    path = tmp_path / "consent.json"
    consent.write(path, both())
    assert consent.read(path) == both()
    assert path.stat().st_mode & 0o777 == 0o600
    assert consent.in_force(both(), {}) == consent.InForce(True, "DIFFERENTIAL", consent.MODELS, ())


def test_each_consent_is_revoked_alone() -> None:
    assert consent.in_force(consent.revoke(both(), "learning"), {}).network
    assert consent.in_force(consent.revoke(both(), "learning"), {}).level == "LOCAL_ONLY"
    force = consent.in_force(consent.revoke(both(), "network"), {})
    assert not force.network
    assert force.level == "LOCAL_ONLY"


@pytest.mark.parametrize("name", ["DO_NOT_TRACK", "LUMINOUS_OFFLINE"])
def test_two_variables_beat_every_consent(name: str) -> None:
    for value in ("1", "true", "yes"):
        force = consent.in_force(both(), {name: value}, is_wished=True)
        assert not force.network
        assert force.level == "LOCAL_ONLY"
        assert force.models == ()
        assert name in force.why[0]
    assert consent.in_force(both(), {name: "0"}).network


def test_consent_for_another_schema_is_paused() -> None:
    record = both()
    assert record.network and record.learning
    old = replace(
        record,
        network=replace(record.network, schema=consent.SCHEMA + 1),
        learning=replace(record.learning, schema=consent.SCHEMA + 1),
    )
    force = consent.in_force(old, {})
    assert not force.network
    assert force.level == "LOCAL_ONLY"
    assert len([line for line in force.why if "paused" in line]) == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"network": {"schema": true, "at_ms": 1}, "learning": null}',
        '{"network": {"schema": "1", "at_ms": 1}, "learning": null}',
        '{"network": null, "learning": {"schema": 1, "at_ms": 1, "level": "ALL", "models": []}}',
        '{"network": 1, "learning": 2}',
        "\xff",
        "[" * 10_000,
    ],
)
def test_a_damaged_record_is_no_consent_and_says_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "consent.json"
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)
    record = consent.read(path)
    assert record.network is None
    assert record.learning is None
    assert "damaged" in consent.in_force(record, {}).why[0]


def test_what_cannot_be_granted_is_refused_in_words() -> None:
    for level, models in (("ENCRYPTED", ()), ("EVERYTHING", ()), ("PUBLIC", ("thoughts",))):
        with pytest.raises(Failure, match="nothing was granted"):
            consent.grant_learning(consent.Record(), level, models, 1)


def test_the_record_is_plain_json_with_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "consent.json"
    consent.write(path, consent.grant_learning(consent.Record(), "PUBLIC", ("fixes",), 5))
    facts = json.loads(path.read_text())
    assert facts["schema"] == consent.SCHEMA
    assert facts["learning"]["models"] == ["fixes"]


def declared(**changes: object) -> Consent:
    given = {"schema": consent.SCHEMA, "network": True, "learning": "differential"} | changes
    return msgspec.convert(given, Consent)


def test_a_declaration_is_taken_over_once_for_each_change() -> None:
    record = consent.adopt(consent.Record(), declared(), 7)
    assert consent.in_force(record, {}) == consent.InForce(True, "DIFFERENTIAL", consent.MODELS, ())
    assert consent.adopt(record, declared(), 8) == record
    revoked = consent.revoke(record, "network")
    assert consent.adopt(revoked, declared(), 9) == revoked, "what is taken back by hand stays so"
    again = consent.adopt(revoked, declared(learning="public"), 10)
    assert consent.in_force(again, {}).level == "PUBLIC"


def test_a_declaration_that_is_gone_or_for_another_schema_takes_back() -> None:
    record = consent.adopt(consent.Record(), declared(), 7)
    for gone in (Consent(), declared(schema=consent.SCHEMA + 1), declared(schema=0)):
        assert not consent.in_force(consent.adopt(record, gone, 8), {}).network


def test_no_declaration_changes_nothing() -> None:
    assert consent.adopt(both(), Consent(), 9) == both()
    damaged = consent.Record(damage="torn")
    assert consent.adopt(damaged, declared(), 9) == damaged, "nobody knows what was revoked"


def test_a_declaration_is_kept_with_the_record(tmp_path: Path) -> None:
    record = consent.adopt(consent.Record(), declared(learning="local_only"), 7)
    consent.write(tmp_path / "c", record)
    assert consent.read(tmp_path / "c") == record
    assert record.learning is None


def test_a_declaration_of_what_cannot_be_is_a_failure() -> None:
    for wrong in (declared(learning="encrypted"), declared(models=("minds",))):
        with pytest.raises(Failure):
            consent.adopt(consent.Record(), wrong, 7)
