"""Loads py-libp2p without the packages of the parts that this node never uses.

``import libp2p`` brings QUIC, WebSocket, mDNS, UPnP and certificate clients with it, a quarter of a process's
memory. While it loads, those packages are stand-ins whose every use raises ``NotLoaded``; afterwards the
stand-ins are gone, and whoever imports such a package later gets the real one.

Refuses to be clever: if the library does not load so, it is loaded whole. What was imported before stays.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

# Package: the part of the library that wants it. Other kinds of keys (coincurve, Crypto) stay: peers use them
ABSENT = {
    "aioquic": "QUIC and WebTransport",
    "OpenSSL": "QUIC",
    "service_identity": "QUIC",
    "trio_websocket": "WebSocket",
    "wsproto": "WebSocket",
    "zeroconf": "mDNS",
    "ifaddr": "mDNS",
    "miniupnpc": "UPnP",
    "httpx": "certificates for WebSocket",
    "requests": "certificates for WebSocket, observability",
}

# Imported again when the library is loaded whole; compiled packages cannot be.
_FORGOTTEN = ("libp2p", "luminous", "multiaddr")


class NotLoaded(ImportError):
    """A part of the library that this node does without was called."""


class _AbsentKind(type):
    """The type of stand-in classes: any attribute is another stand-in."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _stand_in(f"{cls.__module__}.{cls.__name__}", name)


def _stand_in(module: str, name: str) -> Any:
    def refuse(self: object, *args: object, **kwargs: object) -> None:
        raise NotLoaded(f"{module}.{name} was not loaded: this node does without it")

    # An exception, because the library also names these classes behind ``except``.
    return _AbsentKind(name, (Exception,), {"__init__": refuse, "__module__": module})


class _AbsentModule(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _stand_in(self.__name__, name)
        setattr(self, name, value)
        return value


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, packages: frozenset[str]) -> None:
        self._packages = packages

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.split(".")[0] not in self._packages:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _AbsentModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to execute."""


def load(module: str) -> bool:
    """Import ``module``, which imports libp2p; True if it was loaded slim, False if whole.

    Raises ImportError only if it cannot be loaded whole either.
    """
    if any(name == "libp2p" or name.startswith("libp2p.") for name in sys.modules):
        importlib.import_module(module)
        return False
    absent = frozenset(name for name in ABSENT if name not in sys.modules)
    before = set(sys.modules)
    finder = _Finder(absent)
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module(module)
        return True
    except (ImportError, AttributeError, TypeError, ValueError, LookupError, RuntimeError):
        for name in set(sys.modules) - before:
            if name.split(".")[0] in _FORGOTTEN:
                del sys.modules[name]
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, found in sys.modules.items() if isinstance(found, _AbsentModule)]:
            del sys.modules[name]
    importlib.import_module(module)
    return False
