"""From runs of a command to what it taught: counted without any daemon, told to it once, read by explain."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from luminous.node.core import observing
from luminous.node.core.causes.answer import Answer, Fix
from luminous.node.core.instant import Instant
from luminous.node.shell import attempt_book, experience, run_memory, spool
from luminous.node.shell.aftermath import Run, _after_failure, _after_success
from luminous.node.shell.caller import Caller
from luminous.node.shell.fix_offers import offer_fixes
from luminous.node.shell.spool_intake import spool_events
from luminous.protocol.layout import FIXES_1

DAY_MS = 24 * 3600 * 1000
NOW = Instant(10**12, 5_000_000, "boot")
FIX_NAME, UPDATE = "missing_attribute.name", "missing_attribute.update"
PAIRS = {name: FIXES_1.index["missing_attribute", fix] for name, fix in
         ((FIX_NAME, "correct_name"), (UPDATE, "update_input"))}  # fmt: skip


def answer_for(said, class_id="missing_attribute", signature="51" * 16):
    fixes = tuple(Fix(name, name, None, None, "reversible", "", "", pair) for name, pair in PAIRS.items())
    return Answer(class_id, ((class_id, 0.9, "x"),), "c", None, 0, fixes, (), True, "", signature, said)


@pytest.fixture
def person(tmp_path, monkeypatch):
    """Runs of one command at chosen times; `state` is what the configuration says."""
    work, data = tmp_path / "work", str(tmp_path / "data")
    work.mkdir()
    (work / "default.nix").write_text("{\n  a = 1;\n}\n")
    caller = Caller(os.geteuid(), os.getegid(), str(tmp_path), "me", data, is_sudo=False)
    clock = [10**12]
    monkeypatch.setattr(attempt_book, "_now_ms", lambda: clock[0])

    def edit(text):
        (work / "default.nix").write_text("{\n" + text + "\n}\n")

    def lock(revision):
        nodes = {"lib": {"locked": {"rev": revision}}}
        (work / "flake.lock").write_text(json.dumps({"nodes": nodes, "root": "root"}))

    def run(said="", *, argv=("nix-build",), after_ms=0):
        clock[0] += after_ms
        made = Run(list(argv), str(work), 1 if said else 0, 5, said.encode())
        if said:
            _after_failure(made, caller, lambda *a, **k: answer_for(said), show=False, as_json=False)
        else:
            _after_success(made, caller)

    def told():
        found, refused = spool.read_all(data)
        assert refused == []
        return [r for _, r in found if r["kind"] == "attempt"]

    lock("1")
    edit.lock = lock
    return edit, run, told, data


def test_what_worked_is_counted_told_and_read_by_explain(person):
    edit, run, told, data = person
    run("error: attribute 'a' missing")
    edit("  a = 2;")
    run()
    (record,) = told()
    assert (record["error_class"], record["fix_observed"]) == ("missing_attribute", "correct_name")
    assert (record["success"], record["place"], record["propensity_milli"]) == (True, 1, 1000)
    local, prior = experience.read(Path(data))
    worked = {
        fix for (name, fix), counts in local.items() if name == "missing_attribute" and counts == (1, 1)
    }
    assert worked
    assert prior == {}
    (event,) = spool_events(record, NOW)
    assert event.name == observing.FIX_TRIED
    assert event.facts["propensity_milli"] == 1000
    run()
    assert len(told()) == 1  # a second success is no second fix


def test_a_fix_that_did_not_help_is_a_failure_and_only_the_first_counts_for_others(person):
    edit, run, told, data = person
    run("error: attribute 'a' missing")
    edit("  a = 2;")
    run("error: attribute 'a' missing")
    edit.lock("2")
    run()
    first, second = told()
    assert (first["fix_observed"], first["success"], first["place"]) == ("correct_name", False, 1)
    assert (second["success"], second["place"]) == (True, 2)
    assert [bool(spool_events(record, NOW)) for record in (first, second)] == [True, False]
    _, counts = attempt_book.load(Path(data))
    assert counts == {("missing_attribute", name): n for name, n in
                      (("correct_name", (0, 1)), ("update_input", (1, 1)))}  # fmt: skip


def test_a_signature_that_is_gone_for_a_day_is_success(person):
    edit, run, told, _ = person
    run("error: attribute 'a' missing")
    edit("  a = 2;")
    run("error: attribute 'b' missing")  # another failure: the first is gone, for now
    assert told() == []
    run(argv=("nix-build", "-A", "x"), after_ms=DAY_MS - 2)
    assert told() == []
    run(argv=("nix-build", "-A", "x"), after_ms=2)
    assert [(r["fix_observed"], r["success"], r["why"]) for r in told()] == [("correct_name", True, "gone")]


def test_a_signature_that_comes_back_within_the_day_is_failure(person):
    edit, run, told, _ = person
    run("error: attribute 'a' missing")
    edit("  a = 2;")
    run("error: attribute 'b' missing")
    run("error: attribute 'a' missing", argv=("nix-build", "-A", "x"), after_ms=DAY_MS - 2)
    assert [(r["fix_observed"], r["success"], r["why"]) for r in told()] == [("correct_name", False, "back")]


def test_running_again_without_a_change_teaches_nothing(person):
    _, run, told, _ = person
    for _ in range(3):
        run("error: attribute 'a' missing")
    assert told() == []


def test_a_damaged_book_begins_anew(person):
    _, run, _, data = person
    book = Path(data, attempt_book.NAME)
    for junk in (b"", b"[]", b"\xff", b'{"episodes":[],"waiting":[]}', b"[" * 9000, b"{}" * 400_000):
        Path(data).mkdir(mode=0o700, exist_ok=True)
        book.write_bytes(junk)
        book.chmod(0o600)
        run("error: attribute 'a' missing")
        assert json.loads(book.read_bytes())["schema"] == 1
    assert book.stat().st_mode & 0o777 == 0o600
    assert b"default.nix" not in book.read_bytes()
    assert b"attribute" not in book.read_bytes().replace(b"missing_attribute", b"")


def test_two_runs_at_once_lose_nothing(tmp_path):
    """Processes of their own enter a success each at the same time."""
    code = (
        "import sys; from luminous.node.shell import attempt_book as b\n"
        "from luminous.node.core.causes.attempts import Ended\n"
        "for n in range(10):\n"
        "    key = f'{sys.argv[2]}-{n}'\n"
        "    b.note(sys.argv[1], Ended(key, 1, False, 'm', 'hash_mismatch'))\n"
        "    b.note(sys.argv[1], Ended(key, 2, True, changed='replace_hash'))\n"
    )
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3] / "src")}
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "d"), str(n)], env=env) for n in range(3)
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    _, counts = attempt_book.load(tmp_path / "d")
    assert counts == {("hash_mismatch", "replace_hash"): (30, 30)}


def test_offers_tell_the_chance_in_the_public_words():
    local = {("missing_attribute", FIX_NAME): (3.0, 5.0), ("missing_attribute", UPDATE): (3.0, 5.0)}
    shown, offers = offer_fixes(answer_for("x"), local, {}, draw=0)
    assert [fix.id for fix in shown.fixes] == [FIX_NAME, UPDATE]
    assert dict(offers) == {"correct_name": 950, "update_input": 50}
    shown, again = offer_fixes(answer_for("x"), local, {}, draw=999)
    assert [fix.id for fix in shown.fixes] == [UPDATE, FIX_NAME]
    assert again == offers
    assert offer_fixes(answer_for("x"), {}, {}, draw=999)[1] == (("correct_name", 1000), ("update_input", 0))


def test_the_first_command_after_a_failure_is_told_with_the_chance_it_was_offered_with(person):
    _, run, _, data = person
    run("error: attribute 'a' missing")
    attempts, _ = attempt_book.load(Path(data))
    (episode,) = attempts.episodes.values()
    assert dict(episode.offers) == {"correct_name": 1000, "update_input": 0}
    assert set(attempts.episodes) == {run_memory.key_of(["nix-build"], str(Path(data).parent / "work"))}
