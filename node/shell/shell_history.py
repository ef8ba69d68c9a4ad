"""Nix commands in atuin's history: class, time, and whether they worked. No other shell keeps exit codes.

Refuses to keep or hand on a word of any command, to write to the history, and to guess how a command ended.
"""

import shlex
import sqlite3
from pathlib import Path

from luminous.node.shell.command_class import command_class
from luminous.node.shell.past_events import Past

DATABASE = ".local/share/atuin/history.db"
SOURCE = "shell history"
ROWS_MAX = 5000
COMMAND_CHARS_MAX = 4096
TIMEOUT_S = 1.0
# Ended by a person or the system on purpose.
_WANTED = (130, 131, 141, 143)
_QUERY = """SELECT timestamp, exit, substr(command, 1, ?) FROM history
WHERE timestamp >= ? AND exit >= 0 AND (command LIKE '%nix%' OR command LIKE '%home-manager%'
OR command LIKE '%nh %' OR command LIKE '%nom %') ORDER BY timestamp DESC LIMIT ?"""


def read(home: str, since_ms: int, missing: dict[str, str]) -> list[Past]:
    """Failures and successes of Nix commands since a wall time; why not goes to `missing`."""
    path = Path(home, DATABASE)
    if not home or not path.is_file():
        missing[SOURCE] = "bash, zsh and fish keep no exit codes, and there is no history of atuin"
        return []
    try:
        # Read-only: neither the history nor its journal is written.
        with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_S) as base:
            rows = base.execute(_QUERY, (COMMAND_CHARS_MAX, since_ms * 1_000_000, ROWS_MAX)).fetchall()
    except sqlite3.Error as error:
        missing[SOURCE] = f"atuin's history cannot be read ({type(error).__name__})"
        return []
    found = []
    for stamp, code, command in rows:
        kind = _class(command) if isinstance(command, str) else "other"
        if kind != "other" and isinstance(stamp, int) and code not in _WANTED:
            found.append(Past(stamp // 1_000_000, "failed" if code else "ran", kind))
    return found


def _class(command: str) -> str:
    try:
        return command_class(shlex.split(command))
    except ValueError:
        return "other"  # an unclosed quote: no telling which words there were
