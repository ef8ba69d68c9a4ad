"""The spool is private, bounded and trusts no file: hostile ones are refused, good ones come back."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luminous.node.shell import spool


def record(**more):
    return {"schema": spool.SCHEMA, "kind": "failure", **spool.now(), **more}


@pytest.fixture
def data(tmp_path):
    return str(tmp_path / "data")


def folder_of(data):
    return os.path.join(data, spool.FOLDER)  # noqa: PTH118


def plant(data, name, content, mode=0o600):
    path = os.path.join(spool.private_folder(data, spool.FOLDER), name)  # noqa: PTH118
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(content)
    os.chmod(path, mode)  # noqa: PTH101
    return path


def test_what_is_written_is_read_in_order_and_taken_once(data):
    paths = [spool.write(data, record(number=n)) for n in range(5)]
    found, refused = spool.read_all(data)
    assert [r["number"] for _, r in found] == [0, 1, 2, 3, 4]
    assert [p for p, _ in found] == paths
    assert refused == []
    assert spool.take(paths[0])["number"] == 0
    assert isinstance(spool.take(paths[0]), spool.Unreadable)
    assert len(spool.read_all(data)[0]) == 4


def test_a_missing_spool_is_an_empty_one(data):
    assert spool.read_all(data) == ([], [])


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00garbage",
        b"[]",
        b"1",
        b"null",
        b'{"schema":1}',
        b'{"schema":99,"kind":"x","wall_ms":1,"mono_ms":1,"boot_id":""}',
        b'{"schema":1,"kind":7,"wall_ms":1,"mono_ms":1,"boot_id":""}',
        b'{"schema":1,"kind":"x","wall_ms":"1","mono_ms":1,"boot_id":""}',
        b'{"schema":1,"kind":"x","wall_ms":NaN,"mono_ms":1,"boot_id":""}',
        b'{"schema":1,"kind":"x","wall_ms":true,"mono_ms":1,"boot_id":""}',
        b'{"schema":1,"kind":"x","wall_ms":1e400,"mono_ms":1,"boot_id":""}',
        b'{"schema":1,"kind":"x","wall_ms":1,"mono_ms":1,"boot_id":"","duration_ms":"long"}',
        b'{"schema":1,"kind":"x","wall_ms":1,"mono_ms":1,"boot_id":"","exit_code":' + b"9" * 400 + b"}",
        b"[" * 40_000,
        b'{"schema":1,"kind":"x","wall_ms":1,"mono_ms":1,"boot_id":"'
        + b"x" * spool.RECORD_SIZE_BYTES_MAX
        + b'"}',
    ],
    ids=lambda c: c[:24].decode("latin-1"),
)
def test_garbage_is_refused_reported_and_removed(data, content):
    good = spool.write(data, record())
    bad = plant(data, "00000000000000000001-x.json", content)
    found, refused = spool.read_all(data)
    assert [path for path, _ in found] == [good]
    assert [r.path for r in refused] == [bad]
    assert refused[0].why
    assert isinstance(spool.take(bad), spool.Unreadable)
    assert spool.read_all(data)[1] == []


def test_an_empty_file_is_waited_for_and_then_refused(data):
    path = plant(data, "1.json", b"")
    assert spool.read_all(data) == ([], [])
    os.utime(path, (1, 1))
    assert [r.path for r in spool.read_all(data)[1]] == [path]


def test_links_devices_and_writable_files_are_refused(data, tmp_path):
    target = tmp_path / "target.json"
    target.write_bytes(spool.encode(record()))
    folder = spool.private_folder(data, spool.FOLDER)
    os.symlink(target, os.path.join(folder, "1-link.json"))  # noqa: PTH118, PTH211
    os.mkfifo(os.path.join(folder, "2-fifo.json"))  # noqa: PTH118
    os.mkdir(os.path.join(folder, "3-folder.json"))  # noqa: PTH102, PTH118
    os.link(target, os.path.join(folder, "4-hard.json"))  # noqa: PTH118
    plant(data, "5-open.json", spool.encode(record()), mode=0o666)
    found, refused = spool.read_all(data)
    assert found == []
    assert len(refused) == 5
    for one in refused:
        assert isinstance(spool.take(one.path), spool.Unreadable)
    assert target.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(data):
    os.chown(plant(data, "1.json", spool.encode(record())), 12345, 12345)
    found, refused = spool.read_all(data)
    assert (found, len(refused)) == ([], 1)
    os.chown(folder_of(data), 12345, 12345)
    assert spool.read_all(data)[0] == []
    with pytest.raises(PermissionError):
        spool.write(data, record())


def test_a_link_in_place_of_the_folder_is_refused(data, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    os.makedirs(data)  # noqa: PTH103
    os.symlink(tmp_path / "elsewhere", folder_of(data))  # noqa: PTH211
    with pytest.raises(PermissionError):
        spool.write(data, record())
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert spool.read_all(data)[0] == []


def test_the_oldest_give_way(data):
    for number in range(spool.FILES_MAX + 20):
        spool.write(data, record(number=number))
    found, _ = spool.read_all(data)
    assert len(found) == spool.FILES_MAX
    assert found[0][1]["number"] == 20
    assert found[-1][1]["number"] == spool.FILES_MAX + 19


def test_bytes_are_bounded_too(data):
    big = "x" * (spool.RECORD_SIZE_BYTES_MAX - 400)
    for _ in range(spool.TOTAL_SIZE_BYTES_MAX // spool.RECORD_SIZE_BYTES_MAX + 10):
        spool.write(data, record(evidence=big))
    files = [os.path.join(folder_of(data), n) for n in os.listdir(folder_of(data))]  # noqa: PTH118, PTH208
    assert sum(map(os.path.getsize, files)) <= spool.TOTAL_SIZE_BYTES_MAX
    with pytest.raises(ValueError, match="at most"):
        spool.write(data, record(evidence=big * 2))


def test_a_crash_leaves_no_record_and_is_swept_later(data):
    half = plant(data, ".1.json.99.tmp", b'{"sche')
    os.utime(half, (1, 1))
    assert spool.read_all(data) == ([], [])
    spool.write(data, record())
    assert not os.path.exists(half)  # noqa: PTH110


def test_records_are_canonical():
    one = spool.encode({"b": 1, "a": "é", "schema": 1})
    assert one == b'{"a":"\\u00e9","b":1,"schema":1}'


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(tmp_path_factory, content):
    data = str(tmp_path_factory.mktemp("spool"))
    path = plant(data, "1.json", content)
    assert isinstance(spool.read(path), spool.Unreadable | dict)


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=10,
        ),
        max_size=5,
    )
)
def test_every_plain_record_survives(tmp_path_factory, extra):
    data = str(tmp_path_factory.mktemp("spool"))
    written = {**extra, **record()}
    path = spool.write(data, written)
    assert spool.take(path) == json.loads(json.dumps(written))
