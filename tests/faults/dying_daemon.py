"""The daemon with a power cut planted: SIGKILL at a named point. Not a test.

``publish N``: after the Nth commit that has something to publish, before it is published. ``backup``: when
the copy is written and not yet in its place. ``repair``: when the damaged store is set aside and its backup
not yet taken. ``repair-late``: when the backup is in its place and not yet given what memory holds.
``never``: no power cut. The state store is checked every half second instead of every minute.
"""

import os
import signal
import sys
from pathlib import Path


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def plant(point: str, number: int) -> None:
    from luminous.node.core.effects import Publish
    from luminous.node.driver import Driver
    from luminous.node.shell import remembered, state_care, stores

    state_care.CHECK_INTERVAL_S = 0.5

    if point == "publish":
        perform = Driver._perform
        seen = 0

        def cut(self: Driver, effects: object) -> None:
            nonlocal seen
            if any(isinstance(effect, Publish) for effect in effects):  # type: ignore[attr-defined]
                seen += 1
                if seen == number:
                    die()
            perform(self, effects)  # type: ignore[arg-type]

        Driver._perform = cut  # type: ignore[method-assign]
    elif point == "backup":
        replace = Path.replace

        def renamed(self: Path, target: Path) -> Path:
            if self.suffix == ".part" and self.parent.name == "backups":
                assert self.stat().st_size > 0
                die()
            return replace(self, target)

        Path.replace = renamed  # type: ignore[method-assign, assignment]
    elif point == "repair":
        stores.take_backup = lambda path, copy: die()  # type: ignore[assignment]
    elif point == "repair-late":
        remembered.Remembered.replace = lambda self, store: die()  # type: ignore[method-assign]
    elif point != "never":
        raise SystemExit(f"no such point: {point}")


if __name__ == "__main__":
    from luminous.node.shell.daemon import main

    plant(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
