"""The past is read only with consent, bounded, and gaps are named."""

import json
import os

import pytest

from luminous.node.shell import backfill, past_events, past_journal
from luminous.node.shell.past_events import Past
from luminous.node.shell.past_journal import parse_journal

NOW = 1_700_000_000_000


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    profiles = tmp_path / "nix/var/nix/profiles"
    profiles.mkdir(parents=True)
    for number in (41, 42):
        link = profiles / f"system-{number}-link"
        link.symlink_to("/nix/store/x")
        os.utime(link, (NOW / 1000 - 86400, NOW / 1000 - 86400), follow_symlinks=False)
    old = profiles / "system-1-link"
    old.symlink_to("/nix/store/x")
    os.utime(old, (1, 1), follow_symlinks=False)
    logs = tmp_path / "nix/var/log/nix/drvs/ab"
    logs.mkdir(parents=True)
    log = logs / "cdefghijklmnopqrstuvwxyz012345-firefox-120.0.1.drv.bz2"
    log.write_bytes(b"secret text of a build")
    os.utime(log, (NOW / 1000 - 3600, NOW / 1000 - 3600))
    return tmp_path


def look(machine, **more):
    return backfill.backfill(consent=True, now_ms=NOW, root_dir=str(machine), **more)


def with_journal(machine, text, code=0):
    (machine / "bin").mkdir()
    (machine / "journal.txt").write_text(text)
    tool = machine / "bin" / "journalctl"
    tool.write_text(f"#!/bin/sh\nexec /bin/sh -c '/bin/cat {machine}/journal.txt; exit {code}'\n")
    tool.chmod(0o755)


def test_without_consent_nothing_is_read(machine):
    with pytest.raises(PermissionError):
        backfill.backfill(consent=False, root_dir=str(machine))


def test_what_is_there_is_found_and_what_is_missing_is_named(machine):
    found = look(machine)
    kinds = {(e.kind, e.what) for e in found.events}
    assert kinds == {("generation", "41"), ("generation", "42"), ("built", "firefox")}
    assert set(found.missing) == {"journal", "shell history"}
    assert "journalctl" in found.to_text()
    assert "secret" not in json.dumps(found.to_json())


def test_failed_units_come_from_the_journal(machine):
    entry = {"MESSAGE_ID": "d9b373ed55a64feb8242e02dbe79a49c", "UNIT": "nginx.service"}
    lines = [json.dumps(entry | {"__REALTIME_TIMESTAMP": str((NOW - 9000 * n - 1) * 1000)}) for n in range(3)]
    lines.append(lines[0])  # systemd says it twice: one failure
    with_journal(machine, "\n".join([*lines, "not json", "[]", '{"MESSAGE_ID":"other"}']))
    found = look(machine)
    assert [e for e in found.events if e.kind == "unit_failed"] == [
        Past(NOW - 9000 * n - 1, "unit_failed", "nginx.service") for n in (2, 1, 0)
    ]
    assert set(found.missing) == {"shell history"}
    assert "nginx.service, 3 times" in found.to_text()


def test_a_journal_that_may_not_be_read_is_a_gap(machine):
    with_journal(machine, "", code=1)
    assert "journal" in look(machine).missing


def test_an_empty_machine_has_only_gaps(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = backfill.backfill(consent=True, root_dir=str(tmp_path))
    assert found.events == ()
    assert set(found.missing) == {"generations", "nix logs", "journal", "shell history"}


def test_hostile_journals_are_survived():
    hostile = (
        b'{"MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","UNIT":"a\\u001b[2J'
        + b"x" * 500
        + b'","__REALTIME_TIMESTAMP":"1000"}'
    )
    (event,) = parse_journal(hostile + b"\n" + b"[" * 5000 + b"\n\xff\xff\n")
    assert "\x1b" not in event.what
    assert len(event.what) <= past_events.NAME_CHARS_MAX
    many = (
        b'{"MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","UNIT":"u","__REALTIME_TIMESTAMP":"1000"}\n' * 9000
    )
    assert len(parse_journal(many)) == past_journal.LINES_MAX
