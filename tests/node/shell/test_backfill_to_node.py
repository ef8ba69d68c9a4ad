"""What a person let be read becomes observations of the node: once, never trials, never words."""

import json
import os
import sqlite3
from itertools import pairwise
from pathlib import Path

import pytest

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import signer_from_seed
from luminous.node.core import observing
from luminous.node.core.causes.crossover import WINDOWS_MS
from luminous.node.core.config import Config
from luminous.node.core.instant import Instant
from luminous.node.core.machines import build
from luminous.node.core.outcomes import Keep
from luminous.node.shell import backfill, past_events, past_journal, spool
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.past_events import Past, checked, records
from luminous.node.shell.spool_intake import spool_events
from luminous.protocol.codec import decode, encode

HOUR_MS = 3_600_000
NOW_MS = 1_700_000_000_000
AT = Instant("boot", 10_000, NOW_MS)
FAILED, RESULT = "be02cf6855d2428ba40df7e9d022f03d", "d9b373ed55a64feb8242e02dbe79a49c"
HERE = ("generation", "built")  # this machine may have some of its own
SECRET = "ghp_" + "a1B2" * 9


def machines(**more):
    return build(
        Config(signer=signer_from_seed(b"s" * 32), entropy=SeededEntropy(b"e"), membership=None, **more)
    )


def hand(node, found, missing=(), since=NOW_MS - 100 * HOUR_MS, until=NOW_MS):
    """The way of a reading through the spool into a node; what the node keeps."""
    kept = []
    for record in records(sorted(found, key=lambda e: e.wall_ms), dict.fromkeys(missing, "x"), since, until):
        spooled = json.loads(spool.encode(record))
        for event in spool_events(spooled, AT):
            kept += observing.observe(node, event)
    return kept


def count(node, name):
    kind = node.causes.names.find(name)
    return 0 if kind is None else node.causes.counts.occurrences.get(kind, [0] * 4)[1]


def past_month():
    """Six times a new generation and, two minutes later, a unit that fails and runs again an hour later."""
    found = []
    for day in range(1, 13):
        at = NOW_MS - 6 * day * HOUR_MS
        found += [Past(at, "generation", str(day)), Past(at + 120_000, "unit_failed", "nginx.service")]
        found.append(Past(at + HOUR_MS, "unit_recovered", "nginx.service"))
    return found


def test_failures_and_later_successes_are_counted_and_linked():
    node = machines()
    hand(node, past_month())
    assert count(node, "changed:generation") == 12
    assert count(node, "unit_failed:nginx.service") == 12
    assert count(node, "unit_recovered:nginx.service") == 12
    names = node.causes.names
    cause, effect = names.find("changed:generation"), names.find("unit_failed:nginx.service")
    counts = node.causes.counts.counts(cause, effect, WINDOWS_MS.index(300_000))
    assert (counts.n, counts.cases, counts.controls) == (12, 12, 0)


def test_they_are_observations_and_no_trials():
    node = machines()
    hand(node, past_month())
    node.causes.rediscover()
    claims = node.causes.claims()
    assert all(claim.kind.value.upper() != "CAUSATION" for claim in claims)
    assert not node.causes._trials
    event = spool_events(records(past_month(), {}, 0, NOW_MS)[0], AT)
    assert [e.name for e in event] == [observing.PAST]  # never fix_tried: learning does not hear it


def test_reading_twice_counts_once_and_reading_further_back_adds_only_that():
    node = machines()
    found = past_month()
    recent = [event for event in found if event.wall_ms >= NOW_MS - 30 * HOUR_MS]
    hand(node, recent, since=NOW_MS - 30 * HOUR_MS)
    once = count(node, "unit_failed:nginx.service")
    assert 0 < once < 12
    hand(node, recent, since=NOW_MS - 30 * HOUR_MS)
    assert count(node, "unit_failed:nginx.service") == once
    hand(node, found)
    assert count(node, "unit_failed:nginx.service") == 12
    hand(node, found)
    assert count(node, "unit_failed:nginx.service") == 12


def test_planted_fault_without_the_covered_time_everything_counts_twice():
    node = machines()
    hand(node, past_month())
    node.causes._covered.spans.clear()
    hand(node, past_month())
    assert count(node, "unit_failed:nginx.service") == 24


def test_a_source_that_could_not_be_read_is_read_later():
    node, found = machines(), past_month()
    hand(node, [e for e in found if e.kind == "generation"], missing=("journal",))
    assert count(node, "unit_failed:nginx.service") == 0
    hand(node, found)
    assert count(node, "unit_failed:nginx.service") == 12
    assert count(node, "changed:generation") == 12


def test_a_restart_knows_what_was_counted():
    node = machines()
    kept = hand(node, past_month())
    assert all(isinstance(item, Keep) for item in kept)
    again = machines()
    again.recall(kept[-1].name, decode(encode(kept[-1].body)))
    hand(again, past_month())
    assert count(again, "unit_failed:nginx.service") == 12
    again.causes.forget()
    hand(again, past_month())  # what was forgotten may be read anew
    assert count(again, "unit_failed:nginx.service") == 12


def test_the_present_is_left_alone():
    node = machines()
    node.causes.add("symptom:disk_full:/", AT)
    hand(node, past_month())
    node.causes.add("failed:disk_full", Instant("boot", 11_000, NOW_MS + 1000))
    assert node.causes.why("failed:disk_full").known
    node.causes.tick(Instant("boot", 10_000 + 8 * HOUR_MS, NOW_MS + 8 * HOUR_MS))
    assert node.causes.counts.dropped == 0


def test_what_broke_last_month_and_what_it_followed():
    node = machines()
    hand(node, past_month())
    node.causes.rediscover()
    told = node.causes.why("unit_failed:nginx.service")
    assert not told.known  # order is no cause
    assert "only before (12 times)" in told.text
    assert "followed changed:generation in 12 of 12 cases and came in 0 of 24 other moments" in told.text
    assert "never tried" in told.text
    assert "seen no event like that" in node.causes.why("unit_failed:other.service").text


def test_a_node_that_learns_no_causes_takes_nothing():
    node = machines(learns_causes=False)
    assert hand(node, past_month()) == []
    assert count(node, "unit_failed:nginx.service") == 0


def test_a_long_past_fits_into_records_and_loses_nothing():
    found = [Past(NOW_MS - HOUR_MS * 90 + n * 1000, "unit_failed", f"u{n % 7}.service") for n in range(2000)]
    found += [Past(found[249].wall_ms, "unit_failed", "same.service")]  # two chunks meet in one millisecond
    made = records(sorted(found, key=lambda e: e.wall_ms), {}, NOW_MS - 100 * HOUR_MS, NOW_MS)
    assert all(len(spool.encode(record)) <= spool.RECORD_SIZE_BYTES_MAX for record in made)
    assert sum(len(record["events"]) for record in made) == 2001
    spans = [record["read"]["journal"] for record in made]
    assert spans[0][0] == NOW_MS - 100 * HOUR_MS
    assert spans[-1][1] == NOW_MS
    assert all(a[1] == b[0] for a, b in pairwise(spans))


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"events": 3, "read": []},
        {"events": [[1, "journal", "unit_failed:/home/me/secret"]], "read": {"journal": [0, 9]}},
        {
            "events": [[1, "journal", "unit_failed:a b"], [1, "nowhere", "ran:nix"]],
            "read": {"journal": [0, 9]},
        },
        {"events": [[True, "journal", "ran:nix"], [-1, "journal", "ran:nix"]], "read": {"journal": [0, 9]}},
        {"events": [[1, "journal", "fixed:git_add"]], "read": {"journal": [9, 0], "x": [0, 1]}},
    ],
)
def test_a_forged_record_says_nothing(record):
    assert checked(record)["events"] == []
    node = machines()
    observing.observe(node, spool_events({"kind": "past", **record}, AT)[0])
    assert len(node.causes.names) == 0


# --- from the machine ------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A home with an atuin history and a journal in which a unit failed and ran again."""
    home, bin_ = tmp_path / "home", tmp_path / "bin"
    database = home / ".local/share/atuin/history.db"
    database.parent.mkdir(parents=True)
    bin_.mkdir()
    now = spool.now()["wall_ms"]
    with sqlite3.connect(database) as base:
        base.execute(
            "CREATE TABLE history (id TEXT PRIMARY KEY, timestamp INTEGER, duration INTEGER, exit INTEGER, "
            "command TEXT, cwd TEXT, session TEXT, hostname TEXT, deleted_at INTEGER)"
        )
        rows = [
            (now - 5 * HOUR_MS, 1, f"sudo NIX_CONFIG='access-tokens = {SECRET}' nixos-rebuild switch"),
            (now - 4 * HOUR_MS, 0, "nixos-rebuild switch"),
            (now - 3 * HOUR_MS, 130, "nix build .#x"),
            (now - 3 * HOUR_MS, 1, "grep nix notes.txt"),
            (now - 3 * HOUR_MS, -1, "nix build"),
            (now - 2 * HOUR_MS, 1, "nix build 'unclosed"),
            (now - 90 * 24 * HOUR_MS, 1, "nix build"),
        ]
        base.executemany(
            "INSERT INTO history VALUES (?, ?, 1, ?, ?, '/home/me/secret', 's', 'host', NULL)",
            [(f"{n}", ms * 1_000_000, code, line) for n, (ms, code, line) in enumerate(rows)],
        )
    lines = {
        "failures": [(FAILED, 6 * HOUR_MS), (RESULT, 6 * HOUR_MS - 50)],
        "starts": [(past_journal.UNIT_STARTED, 5 * HOUR_MS), (past_journal.UNIT_STARTED, HOUR_MS)],
    }
    for name, entries in lines.items():
        text = "\n".join(
            json.dumps(
                {"MESSAGE_ID": i, "UNIT": "nginx.service", "__REALTIME_TIMESTAMP": str((now - ms) * 1000)}
            )
            for i, ms in entries
        )
        (tmp_path / f"{name}.txt").write_text(text)
    tool = bin_ / "journalctl"
    tool.write_text(
        f'#!/bin/sh\ncase "$*" in *UNIT=nginx.service*) cat {tmp_path}/starts.txt ;; '
        f"*) cat {tmp_path}/failures.txt ;; esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LUMINOUS_DATA_DIR", str(tmp_path / "data"))
    for name in ("SUDO_UID", "DOAS_UID", "PKEXEC_UID"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_consent_is_asked_and_a_no_leaves_nothing(machine, monkeypatch):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: PTH123, SIM115
    with pytest.raises(Failure) as raised:
        backfill.run([])
    assert raised.value.code == Exit.PERMISSION
    assert not (machine / "data").exists()


def test_with_a_yes_it_is_told_and_handed_over_without_a_word_of_any_command(machine, capsys):
    assert backfill.run(["--yes", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    kinds = [(event["kind"], event["what"]) for event in facts["events"] if event["kind"] not in HERE]
    assert kinds == [
        ("unit_failed", "nginx.service"),
        ("failed", "nixos-rebuild"),
        ("unit_recovered", "nginx.service"),
        ("ran", "nixos-rebuild"),
    ]
    assert facts["handed_over"] >= 4
    taken, refused = spool.read_all(str(machine / "data"))
    assert refused == []
    assert [record["kind"] for _, record in taken] == ["past"]
    everything = b"".join(p.read_bytes() for p in Path(machine, "data").rglob("*") if p.is_file())
    for word in (SECRET, "secret", "switch", "access-tokens"):
        assert word.encode() not in everything
    node = machines()
    for _, record in taken:
        observing.observe(node, spool_events(record, AT)[0])
    assert (count(node, "ran:nixos-rebuild"), count(node, "failed:unknown")) == (1, 1)
    assert count(node, "unit_failed:nginx.service") == 1
    backfill.run(["--yes"])
    said = capsys.readouterr().out
    assert "unit failed: nginx.service, once" in said
    assert "it worked again" in said
    assert "counts each only once" in said


def test_a_damaged_history_is_a_gap_and_is_not_written(machine, capsys):
    database = machine / "home/.local/share/atuin/history.db"
    before = database.read_bytes()
    backfill.run(["--yes"])
    assert database.read_bytes() == before
    database.write_bytes(b"no database at all" * 100)
    assert backfill.run(["--yes"]) == 0
    assert "not read: shell history: atuin's history cannot be read" in capsys.readouterr().out


def test_every_kind_has_a_source():
    assert set(past_events.SOURCES.values()) == {"generations", "nix logs", "journal", "shell history"}
