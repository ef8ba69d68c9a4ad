"""The running node as a process: ``python -m luminous.node.shell.daemon``.

Refuses to start without its data directory's lock, to run as root's second self under sudo, and to load
libp2p before network consent.
"""

import argparse
import faulthandler
import json
import os
import signal
import sys
from functools import partial
from typing import Any

import trio

from luminous.node.core.effects import Report
from luminous.node.ports import StoreError, StoreFault
from luminous.node.shell import dial_address, lock, networks, slim_import
from luminous.node.shell.body import Body, NetworkJoined
from luminous.node.shell.control import serve_control
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.keyfile import load_or_create
from luminous.node.shell.link import MakeTransport
from luminous.node.shell.paths import Paths, check_socket_length, locate
from luminous.node.shell.service import TooBusy
from luminous.node.shell.settings_file import Loaded, load
from luminous.node.shell.supervisor import leaves
from luminous.node.shell.systemd import notify

BOOTSTRAP_CONNECTIONS_MAX = 512
# Longer than one round of the watchdog's loop can take.
STANDSTILL_S = 120


def main(words: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    given = _arguments(words)
    try:
        paths = locate(os.environ, data_dir=given.data_dir, config_file=given.config)
        loaded = load(paths.config, os.environ)
        check_socket_length(paths.socket)
        with lock.held(paths.data):
            while _run_once(paths, loaded, given):
                pass
        return Exit.OK
    except Failure as error:
        print(f"luminous-node: {error}", file=sys.stderr)
        return error.code
    except StoreError as error:
        print(f"luminous-node: {_store_failure(error)}", file=sys.stderr)
        return Exit.PERMISSION if error.fault is StoreFault.READ_ONLY else Exit.CHECK_FAILED


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="luminous-node run", description="Run the node in the foreground.")
    parser.add_argument("--data-dir")
    parser.add_argument("--config")
    parser.add_argument("--bootstrap", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--listen", action="append", metavar="MULTIADDR", help="listen here instead")
    parser.add_argument("--quiet", action="store_true", help="log nothing but faults")
    return parser.parse_args(words)


def _store_failure(error: StoreError) -> Failure:
    do = {
        StoreFault.FULL: "free some space: df -h; nix-collect-garbage --delete-older-than 30d",
        StoreFault.READ_ONLY: "check who owns the data directory, or name another with LUMINOUS_DATA_DIR",
        StoreFault.LOCKED: "end the program that holds the file open",
        StoreFault.CORRUPT: "move the damaged file away; without its journal a node stops signing",
        StoreFault.IO: "check the disk: dmesg, smartctl",
    }[error.fault]
    return Failure("the node's stores cannot be opened", str(error), do)


def _run_once(paths: Paths, loaded: Loaded, given: argparse.Namespace) -> bool:
    """One life of the body; True when it must be built anew because a network was joined."""
    listen = tuple(given.listen or loaded.settings.network.listen)
    body = Body(
        paths=paths,
        settings=loaded.settings,
        chosen=loaded.chosen,
        seeds=load_or_create(paths.keys),
        make_transport=partial(_transport, listen=listen),
        environ=dict(os.environ),
        is_bootstrap=given.bootstrap,
        tell=partial(_log, is_quiet=given.quiet),
    )
    try:
        trio.run(_live, body, given.quiet)
    except BaseExceptionGroup as group:
        found = leaves(group)
        if any(isinstance(error, NetworkJoined) for error in found):
            return True
        told = next((error for error in found if isinstance(error, Failure | StoreError)), None)
        if told is None:
            raise
        raise told from None
    finally:
        body.close()
    return False


async def _live(body: Body, is_quiet: bool) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, nursery.cancel_scope)
        await nursery.start(body.run)
        control_is_open = trio.Event()
        nursery.start_soon(body.components.live, "control", partial(_control, body, control_is_open))
        await control_is_open.wait()
        if not is_quiet:
            print(f"luminous-node is ready; control socket {body.paths.socket}", file=sys.stderr, flush=True)
            force = body.in_force()
            sharing = "on" if force.network else "off: luminous-node consent grant network"
            print(f"network {sharing}; learning {force.level}", file=sys.stderr, flush=True)
        notify("READY=1")
        nursery.start_soon(_watchdog, body)


async def _control(body: Body, is_open: trio.Event) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, body)
        is_open.set()


async def _watchdog(body: Body) -> None:
    """Tell systemd that the node answers; where even this loop stands still, the threads' stacks are told."""
    while True:
        faulthandler.dump_traceback_later(STANDSTILL_S)
        try:
            await body.service.ask(lambda node: None, 60.0)
            notify("WATCHDOG=1")
        except TooBusy as error:
            body.tell(Report(0, "busy", {"why": str(error)}))
        await trio.sleep(15)


async def _stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            notify("STOPPING=1")
            scope.cancel()
            return


def _transport(body: Body, *, listen: tuple[str, ...]) -> MakeTransport:
    """The real mesh. Only here is libp2p loaded, and only under consent."""
    assert body.in_force().network
    slim_import.load("luminous.node.shell.libp2p_transport")
    from luminous.node.shell.circuit_slots import RelayLimits
    from luminous.node.shell.guards import Limits
    from luminous.node.shell.libp2p_transport import LibP2PTransport
    from luminous.node.shell.peer_book import PeerBook

    joined = networks.joined_card(body.paths.data)
    bootstrap = (*body.settings.network.bootstrap, *(joined.addresses if joined else ()))
    for address, why in dial_address.flaws(bootstrap):
        do = "mend network.bootstrap, or join again with a fresh card; luminous-node doctor"
        body.tell(Report(0, "address_never_dialled", {"address": address, "why": why, "do": do}))
    limits: Limits = Limits(
        connections_max=BOOTSTRAP_CONNECTIONS_MAX
        if body.is_bootstrap
        else body.settings.network.connections_max
    )

    wish = body.settings.network.relay
    is_relay = wish == "offer" or (wish == "auto" and body.is_bootstrap)

    def make(**callbacks: Any) -> Any:
        return LibP2PTransport(
            transport_seed=body.seeds.transport,
            noise_seed=body.seeds.noise,
            listen=listen,
            bootstrap=bootstrap,
            announce=body.settings.network.announce,
            limits=limits,
            book=PeerBook(body.paths.data / "peers.sqlite"),
            exchange=networks.network_of(body.paths.data),
            offers_relay=RelayLimits() if is_relay else None,
            uses_relays=wish in ("auto", "use", "offer"),
            local=body.settings.network.mdns,
            **callbacks,
        )

    return make


def _log(report: Report, *, is_quiet: bool) -> None:
    """One line of JSON for journald or stderr; never a command's text."""
    if not is_quiet:
        line = json.dumps({"event": report.name, **report.facts}, default=_hex, sort_keys=True)
        print(line, file=sys.stderr, flush=True)


def _hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    sys.exit(main())
