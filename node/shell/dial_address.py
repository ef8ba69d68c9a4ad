"""The forms of address that this node dials, read from text, and what is wrong with any other text.

``/ip4|ip6|dns…/HOST/tcp/PORT/p2p/PEER``, and the same followed by ``/p2p-circuit/p2p/PEER`` for a peer behind
a relay. Refuses to resolve, to dial and to load libp2p: ``doctor`` reads addresses too.
"""

import ipaddress
import re
from dataclasses import dataclass

from luminous.protocol.limits import ADDRESS_SIZE_BYTES_MAX

PEER = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,64}")
CIRCUIT = "/p2p-circuit/p2p/"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_KINDS = ("ip4", "ip6", "dns", "dns4", "dns6", "dnsaddr")
_FORM = "/ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…"


@dataclass(frozen=True, slots=True)
class DialAddress:
    """Where ``peer`` is dialled: at ``host`` and TCP ``port``, or through ``relay``, the peer there."""

    kind: str
    host: str
    port: int
    peer: str
    relay: str = ""

    @property
    def through(self) -> str:
        """The address of the relay; empty without one."""
        return f"/{self.kind}/{self.host}/tcp/{self.port}/p2p/{self.relay}" if self.relay else ""


def read(text: str) -> DialAddress | str:
    """The address that ``text`` is, or a sentence that says what is wrong with it."""
    if len(text) > ADDRESS_SIZE_BYTES_MAX:
        return f"it is longer than {ADDRESS_SIZE_BYTES_MAX} characters"
    if not text.startswith("/"):
        return f"an address looks like {_FORM}"
    direct, circuit, target = text.partition(CIRCUIT)
    parts = direct.split("/")[1:]
    if len(parts) < 2 or parts[0] not in _KINDS:
        return f"it begins with /{parts[0]}; an address looks like {_FORM}"
    kind, host = parts[0], parts[1]
    flaw = _host_flaw(kind, host)
    if flaw:
        return flaw
    if len(parts) < 4 or parts[2] != "tcp" or not parts[3].isdigit() or not 0 < int(parts[3]) < 65_536:
        return "after the host comes /tcp/ and a port from 1 to 65535: no other transport is spoken"
    if len(parts) < 6 or parts[4] != "p2p":
        return "it does not end with /p2p/ and the peer id of the node there, so nobody could verify it"
    peers = [parts[5], target] if circuit else [parts[5]]
    for peer in peers:
        if not PEER.fullmatch(peer):
            return f"{peer[:20] or 'nothing'} is no peer id: some fifty letters and digits"
    if len(parts) > 6:
        return f"/{parts[6]} is not understood"
    if circuit and peers[0] == peers[1]:
        return "a peer cannot be its own relay"
    return DialAddress(kind, host, int(parts[3]), peers[-1], peers[0] if circuit else "")


def _host_flaw(kind: str, host: str) -> str:
    if kind not in ("ip4", "ip6"):
        return "" if _NAME.fullmatch(host) and len(host) <= 253 else f"{host[:40]} is no host name"
    try:
        version = ipaddress.ip_address(host.split("%")[0]).version
    except ValueError:
        return f"{host[:40]} is no IP address"
    return "" if kind == f"ip{version}" else f"{host[:40]} is no IPv{kind[2]} address"


def flaws(addresses: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Those of ``addresses`` that can never be dialled, each with the reason."""
    found = [(address, read(address)) for address in addresses]
    return tuple((address, flaw) for address, flaw in found if isinstance(flaw, str))
