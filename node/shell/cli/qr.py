"""A card as a QR code in a terminal, drawn by segno where it is installed (the extra ``qr``).

Refuses to write files and to show anything but the card.
"""

import importlib.util
import io

from luminous.node.shell.failure import Exit, Failure


def drawn(card: str) -> str:
    """The code as text. Raises Failure when segno is absent or the card does not fit."""
    if importlib.util.find_spec("segno") is None:
        raise Failure(
            "the card cannot be shown as a QR code",
            "the package segno, which draws it, is not installed",
            "pip install 'luminous-node[qr]', or give the card as text",
            Exit.CONFIGURATION,
        )
    import segno

    out = io.StringIO()
    # Capitals, because a QR code holds them in little more than half the space; readers of cards take both.
    segno.make(card.upper(), error="l", micro=False).terminal(out, compact=True, border=2)
    return out.getvalue().rstrip("\n")
