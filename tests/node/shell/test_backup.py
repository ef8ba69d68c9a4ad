"""``backup`` and ``restore``: what comes back, what never does, and a restored key that must stay silent."""

import io
import json
import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from luminous.node.api import LivingNode, running_fleet, running_node
from luminous.node.shell import backup as copying
from luminous.node.shell import keyfile, networks
from luminous.node.shell.failure import Failure
from luminous.node.shell.paths import Paths
from luminous.node.shell.peer_book import PeerBook

pytestmark = pytest.mark.slow


def places(data: Path) -> Paths:
    return Paths(data / "phase4.yaml", data, data / "run")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingNode]:
    """A running node that is the only founder of a community and has voted."""
    folder = tmp_path_factory.mktemp("node")
    values = {"voting.window_ms_min": 1000}
    with running_fleet(folder, 1, is_fleet=False, level=None, values=values) as (one,):
        (one.data_dir / "phase4.yaml").write_text("storage:\n  evidence_days: 3\n")
        asked = {"kind": "text", "title": "Be kind", "closes_in_s": 90_000}
        identifier = one.connection.post("/v1/propose", asked)["proposal"]
        one.connection.post("/v1/vote", {"proposal": identifier, "choice": "yes"})
        yield one


@pytest.fixture(scope="module")
def whole(node: LivingNode, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its backup, keys included, made while it runs."""
    target = tmp_path_factory.mktemp("backups") / "whole.tar"
    copying.backup(places(node.data_dir), target, with_keys=True)
    return target


def names(file: Path) -> set[str]:
    with tarfile.open(file) as tar:
        return set(tar.getnames())


def test_what_is_in_it_and_who_may_read_it(node: LivingNode, whole: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.tar"
    facts = copying.backup(places(node.data_dir), plain, with_keys=False)
    assert names(plain) == {"manifest.json", "state.sqlite", "phase4.yaml", "network/genesis"}
    assert plain.stat().st_mode & 0o777 == 0o600
    assert facts["identity"] is False
    assert names(whole) - names(plain) == set(copying.KEYS)
    with tarfile.open(plain) as tar:
        content = b"".join(file.read() for file in map(tar.extractfile, tar.getmembers()) if file)
    seeds = keyfile.load(node.data_dir / "keys")
    assert seeds and seeds.author not in content
    assert list(tmp_path.iterdir()) == [plain]  # nothing half made is left


def test_a_restored_key_on_a_second_machine_stays_silent(
    node: LivingNode, whole: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    facts = copying.restore(places(second), whole, with_keys=True)
    assert facts["signing"] == "halted" and not (second / "journal.sqlite").exists()
    assert not (second / "consent.json").exists()
    with running_node(second) as twin:
        status = twin.connection.get("/v1/status")
        assert status["author"] == node.connection.get("/v1/status")["author"]
        assert "journal" in status["halted"]
        with pytest.raises(Failure, match="refuses"):
            twin.connection.post("/v1/propose", {"kind": "text", "title": "Twice"})
        twin.restart()
        assert "journal" in twin.connection.get("/v1/status")["halted"]
    assert node.connection.get("/v1/status")["halted"] == ""  # the machine with the journal goes on


def test_without_the_keys_it_is_another_node_that_may_sign(
    node: LivingNode, whole: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    facts = copying.restore(places(other), whole, with_keys=False)
    assert facts["author"] is None and not (other / "keys").exists()
    assert networks.network_of(other) == networks.network_of(node.data_dir)
    assert (other / "phase4.yaml").read_text() == "storage:\n  evidence_days: 3\n"
    with running_node(other) as fresh:
        status = fresh.connection.get("/v1/status")
        assert status["halted"] == "" and status["author"] != node.connection.get("/v1/status")["author"]


def test_the_same_key_already_there_is_halted_too(node: LivingNode, whole: Path, tmp_path: Path) -> None:
    """Keys copied by hand and the state from a backup are no way around."""
    by_hand = tmp_path / "by-hand"
    seeds = keyfile.create(by_hand / "keys")
    held = keyfile.load(node.data_dir / "keys")
    assert held is not None and held != seeds
    for name in keyfile.NAMES:
        (by_hand / "keys" / f"{name}.seed").write_bytes(getattr(held, name))
    assert copying.restore(places(by_hand), whole, with_keys=False)["signing"] == "halted"
    with running_node(by_hand) as twin:
        assert "journal" in twin.connection.get("/v1/status")["halted"]


@pytest.mark.parametrize("name", ["journal.sqlite", "state.sqlite", "peers.sqlite", "network", "keys"])
def test_nothing_is_overwritten(whole: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / "held"
    place.mkdir(mode=0o700)
    (place / name).mkdir() if "." not in name else (place / name).write_bytes(b"mine")
    with pytest.raises(Failure, match="nothing was restored") as told:
        copying.restore(places(place), whole, with_keys=True)
    assert name in told.value.why
    assert [item.name for item in place.iterdir()] == [name]


def rewritten(whole: Path, target: Path, name: str, content: bytes) -> Path:
    with tarfile.open(whole) as old, tarfile.open(target, "w") as new:
        for member in old.getmembers():
            file = old.extractfile(member)
            assert file
            held = content if member.name == name else file.read()
            member.size = len(held)
            new.addfile(member, io.BytesIO(held))
        if name not in old.getnames():
            extra = tarfile.TarInfo(name)
            extra.size = len(content)
            new.addfile(extra, io.BytesIO(content))
    return target


def manifest_of(whole: Path) -> dict[str, object]:
    with tarfile.open(whole) as tar:
        file = tar.extractfile("manifest.json")
        assert file
        facts = json.loads(file.read())
        assert isinstance(facts, dict)
        return facts


def test_a_changed_backup_is_refused_and_leaves_nothing(whole: Path, tmp_path: Path) -> None:
    facts = manifest_of(whole)
    planted = [
        ("state.sqlite", b"no database"),
        ("network/genesis", b"another"),
        ("keys/author.seed", b"\0" * 32),
        ("manifest.json", b"{}"),
        ("manifest.json", b"not json"),
        ("manifest.json", json.dumps({**facts, "schema": 9}).encode()),
        (
            "manifest.json",
            json.dumps({**facts, "files": {"../../evil": {"size": 1, "sha256": "0" * 64}}}).encode(),
        ),
        (
            "manifest.json",
            json.dumps({**facts, "files": {"journal.sqlite": {"size": 1, "sha256": "0" * 64}}}).encode(),
        ),
    ]
    for number, (name, content) in enumerate(planted):
        place = tmp_path / str(number)
        file = rewritten(whole, tmp_path / f"{number}.tar", name, content)
        with pytest.raises(Failure, match="nothing was restored"):
            copying.restore(places(place), file, with_keys=True)
        assert list(place.iterdir()) == []
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(Failure, match="nothing was restored"):
        copying.restore(places(tmp_path / "c"), cut, with_keys=True)


def test_a_journal_hidden_in_the_file_is_not_taken(whole: Path, tmp_path: Path) -> None:
    file = rewritten(whole, tmp_path / "j.tar", "journal.sqlite", b"from elsewhere")
    file = rewritten(file, tmp_path / "k.tar", "../outside", b"from elsewhere")
    copying.restore(places(tmp_path / "d"), file, with_keys=True)
    assert not (tmp_path / "d/journal.sqlite").exists() and not (tmp_path / "outside").exists()


def test_reached_addresses_and_bans_come_along(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keyfile.create(data / "keys")
    book = PeerBook(data / "peers.sqlite")
    book.reached("/ip4/192.0.2.1/tcp/4001/p2p/x", 1)
    copying.backup(places(data), tmp_path / "b.tar", with_keys=False)  # also while the book is open
    book.close()
    copying.restore(places(tmp_path / "new"), tmp_path / "b.tar", with_keys=False)
    moved = PeerBook(tmp_path / "new/peers.sqlite")
    assert moved.addresses(8) == ("/ip4/192.0.2.1/tcp/4001/p2p/x",)
    moved.close()


def test_no_backup_of_a_damaged_store_or_over_a_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keyfile.create(data / "keys")
    (data / "state.sqlite").write_bytes(b"SQLite format 3\0" + b"\xa5" * 8192)
    with pytest.raises(Failure, match="no backup was made"):
        copying.backup(places(data), tmp_path / "b.tar", with_keys=False)
    (data / "state.sqlite").unlink()
    copying.backup(places(data), tmp_path / "b.tar", with_keys=False)
    with pytest.raises(Failure, match="no backup was made"):
        copying.backup(places(data), tmp_path / "b.tar", with_keys=False)
    with pytest.raises(Failure, match="without the keys"):
        try:
            copying.restore(places(tmp_path / "e"), tmp_path / "b.tar", with_keys=True)
        except Failure as error:
            raise Failure(error.why, "", "") from error
    assert sorted(item.name for item in tmp_path.iterdir()) == ["b.tar", "data", "e"]


def test_the_copy_of_a_running_node_is_sound(whole: Path, tmp_path: Path) -> None:
    with tarfile.open(whole) as tar:
        file = tar.extractfile("state.sqlite")
        assert file
        (tmp_path / "s.sqlite").write_bytes(file.read())
    with sqlite3.connect(tmp_path / "s.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM record").fetchone()[0] > 0
