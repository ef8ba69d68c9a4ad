"""The network of a data directory: founded, joined, shown as a card. No socket is opened here.

Refuses a second network in one data directory, a card that was changed on its way, and a start that the
constitution would not allow.
"""

import difflib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from luminous.crypto.digest import DIGEST_SIZE_BYTES
from luminous.crypto.keys import signer_from_seed
from luminous.node.core.config import Membership
from luminous.node.core.founding import found
from luminous.node.core.founding import join as join_genesis
from luminous.node.shell import keyfile
from luminous.node.shell.durable_file import write_private
from luminous.node.shell.failure import Exit, Failure, of_os_error
from luminous.node.shell.paths import make_private
from luminous.protocol import parameters
from luminous.protocol.cards import Card, read_card, write_card
from luminous.protocol.constitution import check_value
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.limits import ADDRESSES_PER_CARD_MAX, ENVELOPE_SIZE_BYTES_MAX
from luminous.protocol.reasons import Refused

FOLDER = "network"
_WHAT = "the network of this data directory cannot be changed"


def create(
    data_dir: Path, name: str, fleet: bool, founders: list[str], values: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Found a network: this machine and the machines of the founders' cards are its first members.

    ``values``: parameters that start with another value than the default, within the constitution's bounds.
    """
    _refuse_second(data_dir)
    law = {parameters.MIN_CONTRIBUTORS: 1} if fleet else {}
    law |= _checked(values or {}, fleet=fleet)
    me = _author(data_dir)
    keys = [me, *(_card(line).author for line in founders)]
    try:
        raw = found(
            name,
            keys,
            is_fleet=fleet,
            is_open=False,
            parameters=law,
            created_at_ms=time.time_ns() // 1_000_000,
            salt=os.urandom(16),
        )
    except AssertionError as error:
        raise Failure(
            "no network was founded", f"{name!r} cannot be its name", "1 to 64 plain bytes", Exit.USAGE
        ) from error
    keep_genesis(data_dir, raw)
    return card(data_dir) | {
        "members": len(set(keys)),
        "fleet": fleet,
        "next": "give the card to the other machines: luminous-node network join CARD; "
        "then on each: luminous-node consent grant network",
    }


def join(data_dir: Path, line: str) -> dict[str, Any]:
    """Belong to the network of a card; its founding record is fetched after network consent."""
    given = _card(line)
    if given.network is None:
        raise Failure(
            "no network was joined",
            "the card is of a machine that belongs to no network",
            "ask for the card of the network: luminous-node network card",
            Exit.USAGE,
        )
    held = network_of(data_dir)
    if held is not None and held != given.network:
        _refuse_second(data_dir)
    _author(data_dir)
    _write(data_dir, "card", write_card(given).encode() + b"\n")
    return {
        "network": given.network.hex(),
        "name": given.name,
        "addresses": list(given.addresses),
        "next": "luminous-node consent grant network, then luminous-node run",
    }


def card(data_dir: Path, wish: bytes = b"") -> dict[str, Any]:
    """This machine's card; with its network and the addresses it was last reachable at.

    ``wish``: its signature that it wants to be on the roll.
    """
    author = _author(data_dir)
    membership = read_membership(data_dir)
    joined = joined_card(data_dir)
    network = network_of(data_dir)
    name = membership.genesis.name if membership else joined.name if joined else ""
    addresses = read_addresses(data_dir)[:ADDRESSES_PER_CARD_MAX]
    epoch, minutes = read_minutes(data_dir) if network else (0, b"")
    shown = Card(author, network, name, tuple(addresses), wish, epoch, minutes)
    return {
        "card": write_card(shown),
        "network": None if network is None else network.hex(),
        "name": name,
        "addresses": addresses,
    }


def network_of(data_dir: Path) -> NetworkId | None:
    """The network this data directory belongs to, founded or joined."""
    membership = read_membership(data_dir)
    if membership is not None:
        return membership.id
    joined = joined_card(data_dir)
    return joined.network if joined else None


def read_membership(data_dir: Path) -> Membership | None:
    """The founding record, if it is here. Raises Failure if it is damaged or another version's."""
    raw = _read(data_dir, "genesis")
    if raw is None:
        return None
    membership = join_genesis(raw)
    if isinstance(membership, Refused):
        raise Failure(
            "the network cannot be used",
            f"its founding record is refused: {membership.detail or membership.reason.value}",
            f"upgrade luminous-node, or move {data_dir / FOLDER} away to start anew",
            Exit.CONFIGURATION,
        )
    joined = joined_card(data_dir)
    if joined is None or joined.network != membership.id or not joined.epoch:
        return membership
    return replace(membership, known=(joined.epoch, joined.minutes))


def joined_card(data_dir: Path) -> Card | None:
    """The card this machine joined with."""
    raw = _read(data_dir, "card")
    given = None if raw is None else read_card(raw.decode("utf-8", "replace"))
    return None if isinstance(given, Refused) else given


def genesis_bytes(data_dir: Path) -> bytes | None:
    """The founding record as it is served to those who join."""
    return _read(data_dir, "genesis")


def keep_genesis(data_dir: Path, raw: bytes) -> None:
    """Write the founding record."""
    _write(data_dir, "genesis", raw)


def keep_addresses(data_dir: Path, addresses: tuple[str, ...]) -> None:
    """Remember where this machine can be reached, for its card."""
    _write(data_dir, "addresses", json.dumps(list(addresses)).encode())


def keep_minutes(data_dir: Path, epoch: int, digest: bytes) -> None:
    """Remember the newest final Minutes, for this machine's card."""
    _write(data_dir, "minutes", f"{epoch} {digest.hex()}\n".encode())


def read_minutes(data_dir: Path) -> tuple[int, bytes]:
    """Number and digest of the newest final Minutes that were kept; (0, empty) where there are none."""
    words = (_read(data_dir, "minutes") or b"").split()
    try:
        epoch, digest = int(words[0]), bytes.fromhex(words[1].decode())
    except (IndexError, ValueError):
        return 0, b""
    return (epoch, digest) if epoch > 0 and len(digest) == DIGEST_SIZE_BYTES else (0, b"")


def read_addresses(data_dir: Path) -> list[str]:
    """Where this machine was last reachable; loopback last, as it helps only on this machine."""
    raw = _read(data_dir, "addresses")
    try:
        found = json.loads(raw) if raw else []
    except ValueError:
        return []
    addresses = [str(address) for address in found] if isinstance(found, list) else []
    return sorted(addresses, key=lambda address: ("/127." in address or "/::1/" in address, address))


def _checked(values: Mapping[str, int], *, fleet: bool) -> dict[str, int]:
    for key, value in values.items():
        refusal = check_value(key, value, is_fleet=fleet)
        if refusal is not None:
            close = difflib.get_close_matches(key, parameters.PARAMETERS, n=1)
            hint = f"did you mean {close[0]}? " if close and close[0] != key else ""
            raise Failure(
                "no network was founded",
                f"the constitution forbids it: {refusal.detail}",
                f"{hint}luminous-node parameters shows names, units and bounds",
                Exit.USAGE,
            )
    return dict(values)


def _card(line: str) -> Card:
    given = read_card(line)
    if isinstance(given, Refused):
        raise Failure("the card cannot be read", given.detail, "copy the whole line again", Exit.USAGE)
    return given


def _author(data_dir: Path) -> AuthorId:
    return AuthorId(signer_from_seed(keyfile.load_or_create(data_dir / "keys").author).public)


def _refuse_second(data_dir: Path) -> None:
    held = network_of(data_dir)
    if held is not None:
        raise Failure(
            "this machine already belongs to a network",
            f"network {held.hex()}; a data directory has one",
            "use another data directory (LUMINOUS_DATA_DIR) for the other network",
            Exit.USAGE,
        )


def _read(data_dir: Path, name: str) -> bytes | None:
    path = data_dir / FOLDER / name
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise of_os_error(_WHAT, path, error) from error
    return raw if len(raw) <= ENVELOPE_SIZE_BYTES_MAX else None


def _write(data_dir: Path, name: str, data: bytes) -> None:
    make_private(data_dir, _WHAT)
    make_private(data_dir / FOLDER, _WHAT)
    write_private(data_dir / FOLDER / name, data, _WHAT)
