"""A locked, read-only, full, linked or damaged data directory: a clear error each, and nothing lost."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from luminous.node.shell import durable_file, keyfile, lock, paths
from luminous.node.shell.failure import Exit, Failure

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_only(*_: object, **__: object) -> int:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_seeds_are_made_once_private_and_independent(data: Path) -> None:
    made = keyfile.load_or_create(data / "keys")
    assert keyfile.load_or_create(data / "keys") == made
    assert len({made.author, made.transport, made.noise}) == 3
    assert all(len(getattr(made, name)) == 32 for name in keyfile.NAMES)
    assert (data / "keys").stat().st_mode & 0o777 == 0o700
    for name in keyfile.NAMES:
        assert (data / f"keys/{name}.seed").stat().st_mode & 0o777 == 0o600
    assert keyfile.create(data / "other") != made


def test_seeds_are_not_shown(data: Path) -> None:
    made = keyfile.load_or_create(data / "keys")
    assert made.author.hex() not in repr(made)
    assert repr(made.author) not in repr(made)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_seed_that_others_can_read_is_refused(data: Path, mode: int) -> None:
    keyfile.create(data / "keys")
    (data / "keys/author.seed").chmod(mode)
    with pytest.raises(Failure) as caught:
        keyfile.load(data / "keys")
    assert caught.value.code == Exit.PERMISSION
    assert caught.value.do == f"chmod 600 {data}/keys/author.seed"


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_damaged_seed_is_refused_and_left_as_it_is(data: Path, content: bytes) -> None:
    keyfile.create(data / "keys")
    (data / "keys/noise.seed").write_bytes(content)
    with pytest.raises(Failure, match="cannot be used") as caught:
        keyfile.load_or_create(data / "keys")
    assert "damaged" in caught.value.why
    assert (data / "keys/noise.seed").read_bytes() == content


def test_a_missing_seed_never_becomes_a_new_identity_in_silence(data: Path) -> None:
    made = keyfile.create(data / "keys")
    (data / "keys/author.seed").unlink()
    with pytest.raises(Failure) as caught:
        keyfile.load_or_create(data / "keys")
    assert "missing" in caught.value.why
    assert (data / "keys/transport.seed").read_bytes() == made.transport


def test_a_linked_seed_is_refused(data: Path, tmp_path: Path) -> None:
    made = keyfile.create(data / "keys")
    target = tmp_path / "elsewhere"
    durable_file.write_private(target, made.author, "x")
    (data / "keys/author.seed").unlink()
    (data / "keys/author.seed").symlink_to(target)
    with pytest.raises(Failure, match="cannot be used"):
        keyfile.load(data / "keys")


def test_a_full_disk_leaves_no_half_identity(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(Failure) as caught:
            keyfile.create(data / "keys")
    assert "no space" in caught.value.why
    assert list(data.iterdir()) == []
    assert keyfile.load_or_create(data / "keys") == keyfile.load(data / "keys")


def test_a_full_disk_keeps_the_old_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.mkdir()
    durable_file.write_private(data / "f", b"old", "x")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(Failure, match="the record cannot be written"):
        durable_file.write_private(data / "f", b"new", "the record cannot be written")
    assert (data / "f").read_bytes() == b"old"
    assert [path.name for path in data.iterdir()] == ["f"]


def test_a_read_only_directory_says_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(Failure) as caught, lock.held(data):
        pass
    assert "read-only file system" in caught.value.why
    assert caught.value.code == Exit.PERMISSION


def test_a_file_in_place_of_the_directory_says_so(data: Path) -> None:
    data.write_text("")
    with pytest.raises(Failure, match="cannot be used"), lock.held(data):
        pass


def test_a_directory_that_others_may_write_is_refused(data: Path) -> None:
    data.mkdir()
    data.chmod(0o777)
    with pytest.raises(Failure) as caught, lock.held(data):
        pass
    assert caught.value.do == f"close it to them: chmod 700 {data}"


def test_a_second_node_on_one_directory_is_told_who_holds_it(data: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib\nfrom luminous.node.shell import lock\n"
            "with lock.held(pathlib.Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()",
            str(data),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin and holder.stdout
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Failure) as caught, lock.held(data):
            pass
        assert f"another luminous-node uses this directory, pid {holder.pid}" in caught.value.why
        holder.kill()  # a dead holder leaves its number in the file, and no lock
        holder.wait()
        with lock.held(data):
            assert (data / "lock").read_text() == f"{os.getpid()}\n"
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()


def test_the_lock_is_free_again_after_use(data: Path) -> None:
    with lock.held(data):
        pass
    with lock.held(data):
        pass


def test_places_follow_flag_variable_and_xdg(tmp_path: Path) -> None:
    home = {"HOME": "/home/a"}
    assert paths.locate(home).data == Path("/home/a/.local/share/luminous-node")
    assert paths.locate(home).config == Path("/home/a/.config/luminous-nix/phase4.yaml")
    assert paths.locate(home).socket == Path("/home/a/.local/share/luminous-node/run/control.sock")
    xdg = {**home, "XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/c", "XDG_RUNTIME_DIR": "/r"}
    assert paths.locate(xdg).data == Path("/d/luminous-node")
    assert paths.locate(xdg).config == Path("/c/luminous-nix/phase4.yaml")
    assert paths.locate(xdg).socket == Path("/r/luminous-node/control.sock")
    assert paths.locate({**xdg, "XDG_DATA_HOME": "relative"}).data == paths.locate(home).data
    named = {**xdg, "LUMINOUS_DATA_DIR": "/n", "LUMINOUS_CONFIG": "/n.yaml"}
    assert paths.locate(named).data == Path("/n")
    assert paths.locate(named).socket == Path("/n/run/control.sock")
    assert paths.locate(named).config == Path("/n.yaml")
    assert paths.locate(named, data_dir="/f", config_file="/f.yaml").data == Path("/f")
    assert paths.locate({**named, "LUMINOUS_RUNTIME_DIR": "/q"}).socket == Path("/q/control.sock")


def test_a_socket_path_that_is_too_long_is_told_before_it_fails() -> None:
    paths.check_socket_length(Path("/" + "a" * 106))
    with pytest.raises(Failure, match="cannot be opened"):
        paths.check_socket_length(Path("/" + "a" * 107))
