"""Messages on a stream: a varint length, then as many bytes.

Refuses a length beyond the bound before a byte of the message is kept.
"""

from luminous.node.shell.guards import Offence


def varint(value: int) -> bytes:
    """An unsigned LEB128 integer, as libp2p prefixes frames with."""
    out = bytearray()
    while value >= 0x80:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def framed(data: bytes) -> bytes:
    """``data`` with its length in front."""
    return varint(len(data)) + data


class FrameError(Exception):
    """The peer broke the framing; ``offence`` says how."""

    def __init__(self, offence: Offence) -> None:
        super().__init__(offence.value)
        self.offence = offence


def split_frames(buffer: bytearray, frame_size_bytes_max: int) -> list[bytes]:
    """Cut complete varint-prefixed frames off the front of ``buffer``. Raises ``FrameError``."""
    frames: list[bytes] = []
    offset = 0
    while True:
        length = shift = 0
        at = offset
        while True:
            if at == len(buffer):
                del buffer[:offset]
                return frames
            byte = buffer[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
            shift += 7
            if shift > 28:
                raise FrameError(Offence.OVERSIZED)
        if length > frame_size_bytes_max:
            raise FrameError(Offence.OVERSIZED)
        if len(buffer) - at < length:
            del buffer[:offset]
            return frames
        frames.append(bytes(buffer[at : at + length]))
        offset = at + length
