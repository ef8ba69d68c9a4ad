"""Real readings of this machine: /proc, /sys and statvfs.

Refuses to fork, to walk processes and to guess: what cannot be read is listed as missing, what this machine
does not offer as unsupported. One sample costs well under a millisecond.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from luminous.node.core.health.readings import Readings
from luminous.node.core.instant import Instant

# A signal reader's answers: values in thousandths of the unit.
Values = dict[str, int]


class Host:
    """Reads this machine. ``root`` stands for ``/`` so that tests can plant a machine in a folder."""

    def __init__(self, mounts: Iterable[str] = (), root: Path = Path("/")) -> None:
        self._root = root
        self._mounts = _distinct_mounts((*mounts, "/", "/nix", "/boot"), root)
        self._stalls: dict[str, tuple[int, int]] = {}
        self._busy: tuple[int, int] | None = None
        self._seen: dict[str, None] = {}

    def read(self, at: Instant, own: Mapping[str, int] | None = None) -> Readings:
        """One sample. ``own``: the node's own signals (response_ms, peers, store_integrity, …)."""
        values: Values = {}
        absent: list[str] = []
        for names, reader in self._readers(at.mono_ms):
            try:
                values.update(reader())
            except (OSError, ValueError, IndexError, KeyError):
                absent.extend(names)
        for name in values:
            self._seen[name] = None
        missing = tuple(name for name in absent if name in self._seen)
        unsupported = tuple(name for name in absent if name not in self._seen)
        return Readings(at, values, missing, (*unsupported, "smart_ok", "failed_units")).with_own(own or {})

    def _readers(self, mono_ms: int) -> list[tuple[tuple[str, ...], Callable[[], Values]]]:
        readers: list[tuple[tuple[str, ...], Callable[[], Values]]] = [
            (("cpu_stall_share",), lambda: self._stall("cpu", "some", "cpu_stall_share", mono_ms)),
            (("memory_stall_share",), lambda: self._stall("memory", "full", "memory_stall_share", mono_ms)),
            (("io_stall_share",), lambda: self._stall("io", "full", "io_stall_share", mono_ms)),
            (("memory_available_share", "swap_free_share"), self._memory),
            (("cpu_busy_share",), self._cpu_busy),
            (("load_average",), self._load),
            (("own_memory_mb", "own_fds_share"), self._own),
            (("battery_share", "on_mains"), self._power),
            (("generations",), self._generations),
            (("root_writable",), self._root_writable),
        ]
        for mount in self._mounts:
            names = (f"disk_free_share:{mount}", f"disk_free_gb:{mount}", f"inode_free_share:{mount}")
            readers.append((names, lambda mount=mount: self._disk(mount)))  # type: ignore[misc]
        return readers

    def _text(self, path: str) -> str:
        with (self._root / path).open("rb") as stream:
            return stream.read(65_536).decode("utf-8", "replace")

    def _stall(self, resource: str, line: str, name: str, mono_ms: int) -> Values:
        """Share of the time since the last sample in which tasks stood still (the kernel's own total)."""
        fields = _pressure_line(self._text(f"proc/pressure/{resource}"), line)
        total_us = int(fields["total"])
        before = self._stalls.get(resource)
        self._stalls[resource] = (mono_ms, total_us)
        if before is None or mono_ms - before[0] < 1_000 or total_us < before[1]:
            return {name: round(float(fields["avg10"]) * 1000)}
        return {name: min(100_000, (total_us - before[1]) * 100 // (mono_ms - before[0]))}

    def _memory(self) -> Values:
        fields = {}
        for line in self._text("proc/meminfo").splitlines():
            key, _, rest = line.partition(":")
            fields[key] = int(rest.split()[0])
        values = {"memory_available_share": fields["MemAvailable"] * 100_000 // fields["MemTotal"]}
        if fields.get("SwapTotal"):
            values["swap_free_share"] = fields["SwapFree"] * 100_000 // fields["SwapTotal"]
        return values

    def _cpu_busy(self) -> Values:
        ticks = [int(field) for field in self._text("proc/stat").split("\n", 1)[0].split()[1:9]]
        total, idle = sum(ticks), ticks[3] + ticks[4]
        before, self._busy = self._busy, (total, idle)
        if before is None or total <= before[0]:
            return {}
        spent = total - before[0]
        return {"cpu_busy_share": max(0, (spent - (idle - before[1])) * 100_000 // spent)}

    def _load(self) -> Values:
        return {"load_average": round(float(self._text("proc/loadavg").split()[0]) * 1000)}

    def _own(self) -> Values:
        pages = int(self._text("proc/self/statm").split()[1])
        values = {"own_memory_mb": pages * os.sysconf("SC_PAGE_SIZE") // 1000}
        limit = [line for line in self._text("proc/self/limits").splitlines() if line.startswith("Max open")]
        soft = limit[0].split()[3]
        if soft.isdigit() and int(soft):
            count = len(os.listdir(self._root / "proc/self/fd"))  # noqa: PTH208
            values["own_fds_share"] = count * 100_000 // int(soft)
        return values

    def _power(self) -> Values:
        """Battery charge and whether mains feed it. A machine without batteries offers neither."""
        base = self._root / "sys/class/power_supply"
        values: Values = {}
        for name in sorted(os.listdir(base)):  # noqa: PTH208
            kind = self._text(f"sys/class/power_supply/{name}/type").strip()
            if kind == "Battery":
                charge = int(self._text(f"sys/class/power_supply/{name}/capacity"))
                values["battery_share"] = charge * 1000
            elif kind == "Mains":
                values["on_mains"] = int(self._text(f"sys/class/power_supply/{name}/online")) * 1000
        if not values:
            raise FileNotFoundError(str(base))
        return values

    def _generations(self) -> Values:
        profiles = os.listdir(self._root / "nix/var/nix/profiles")  # noqa: PTH208
        count = sum(1 for name in profiles if name.startswith("system-") and name.endswith("-link"))
        return {"generations": count * 1000}

    def _root_writable(self) -> Values:
        """Whether / is mounted read-write. An image that is meant to be read-only says so from the start."""
        for line in self._text("proc/self/mountinfo").splitlines():
            fields = line.split()
            if fields[4] == "/":
                writable = "rw" in fields[5].split(",") and "rw" in fields[-1].split(",")
                if not writable and "root_writable" not in self._seen:
                    raise FileNotFoundError("/ is read-only by design")
                return {"root_writable": 1000 if writable else 0}
        raise KeyError("/")

    def _disk(self, mount: str) -> Values:
        stat = os.statvfs(self._root / mount.lstrip("/"))
        if stat.f_blocks == 0:
            raise FileNotFoundError(mount)
        values = {
            f"disk_free_share:{mount}": stat.f_bavail * 100_000 // stat.f_blocks,
            f"disk_free_gb:{mount}": stat.f_bavail * stat.f_frsize // 1_000_000,
        }
        if stat.f_files:
            values[f"inode_free_share:{mount}"] = stat.f_favail * 100_000 // stat.f_files
        return values


def read_instant() -> Instant:
    """Now, for commands that sample without a running node."""
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot_id = "unknown"
    return Instant(boot_id, time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000)


def _pressure_line(text: str, name: str) -> dict[str, str]:
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == name:
            return dict(field.split("=", 1) for field in rest.split())
    raise KeyError(name)


def _distinct_mounts(mounts: Iterable[str], root: Path) -> tuple[str, ...]:
    """One path per file system: two names for one disk must not count twice. Absent paths are left out."""
    found: dict[int, str] = {}
    for mount in mounts:
        try:
            device = (root / mount.lstrip("/")).stat().st_dev
        except OSError:
            continue
        if device not in found or mount == "/":
            found[device] = mount
    return tuple(found[device] for device in sorted(found, key=lambda device: found[device]))
