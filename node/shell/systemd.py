"""Telling systemd how the service is: sd_notify(3), a datagram on the socket it names.

Refuses to fail: without systemd nobody listens.
"""

import os
import socket


def notify(state: str) -> None:
    """Send one state such as ``READY=1``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto(state.encode(), address)
    except OSError:
        return
