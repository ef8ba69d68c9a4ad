"""``luminous-node explain``: what broke, where, and what to do, from a failure's text. Offline, no daemon.

Reads a bounded part of the text, asks this machine a few read-only questions, and prints an answer. Refuses
to change anything and to send anything; loads the standard library only.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from luminous.node.core.causes.answer import Answer
from luminous.node.core.causes.classify import ABSTAIN_BELOW
from luminous.node.core.causes.explaining import Finding, explain, find
from luminous.node.core.causes.facts import gather_facts
from luminous.node.core.causes.frames import unwrapped
from luminous.node.core.causes.ranking import Counts
from luminous.node.core.causes.redact import hide_person, hide_secrets
from luminous.node.core.causes.situation import Situation
from luminous.node.core.causes.state import MachineState
from luminous.node.core.causes.text import (
    HEAD_SIZE_BYTES_MAX,
    TAIL_SIZE_BYTES_MAX,
    FailureText,
    bound,
    read_failure,
    strip_escapes,
)
from luminous.node.core.causes.user_files import UserFiles
from luminous.node.shell import experience
from luminous.node.shell.caller import find_caller
from luminous.node.shell.catalogue_files import load_catalogue, load_corpus
from luminous.node.shell.failure import Exit, Failure, of_os_error
from luminous.node.shell.nix_parse import find_parser
from luminous.node.shell.state_questions import ask_state

FILES_MAX = 200
FILE_SIZE_BYTES_MAX = 256 * 1024
DEPTH_MAX = 5
SHARE_CHARS_MAX = 12_000
_SUFFIXES = (".nix", ".json", ".toml")
_NAMED = re.compile(r"(?:^|[\s'\"`‘(,])(/[^\s:'\"`’‘«»()<>,]{1,400}\.(?:nix|json|toml))")


def explain_text(
    text: str,
    *,
    command: str | None = None,
    exit_code: int | None = None,
    root: Path | str | None = None,
    ask: bool = True,
    local: Counts | None = None,
    prior: Counts | None = None,
) -> Answer:
    """The answer for the output ``text`` of a failed command.

    ``root``: the directory that it worked in; ``ask``: whether to question this machine's state;
    ``local`` and ``prior``: outcome counts by (class, fix id), from here and from peers. Never raises for
    any text.
    """
    cut = len(text) > HEAD_SIZE_BYTES_MAX + TAIL_SIZE_BYTES_MAX
    if cut:
        text = text[:HEAD_SIZE_BYTES_MAX] + "\n" + text[-TAIL_SIZE_BYTES_MAX:]
    failure = read_failure(text, cut=cut)
    catalogue = load_catalogue()
    words = split_command(command)
    finding = find(catalogue, load_corpus(), failure, exit_code, words)
    if not finding.candidates or finding.candidates[0].confidence < ABSTAIN_BELOW:
        failure, finding = _mended(text, cut, exit_code, words) or (failure, finding)
    folder = _named_repository(failure) or _folder(root)
    files = read_user_files(failure, folder)
    situation = Situation(words, exit_code, files)
    state = MachineState()
    if finding.candidates and ask:
        top = finding.candidates[0].class_id
        asks: set[str] = set()
        for class_id in finding.asks:
            asks |= set(catalogue.classes[class_id].asks) if class_id in catalogue.classes else set()
        facts = gather_facts(top, finding.hits, failure, situation)
        state = ask_state(tuple(sorted(asks)), facts, folder)
    situation = Situation(
        words, exit_code, files, state, find_parser() if files.texts else None, local or {}, prior or {}
    )
    return explain(catalogue, failure, finding, situation)


def _mended(
    text: str, cut: bool, exit_code: int | None, words: tuple[str, ...]
) -> tuple[FailureText, Finding] | None:
    """The finding in ``text`` with the lines joined that a terminal broke; None where that helps nothing."""
    whole = unwrapped(strip_escapes(text))
    if whole is None:
        return None
    failure = read_failure(whole, cut=cut)
    finding = find(load_catalogue(), load_corpus(), failure, exit_code, words)
    known = finding.candidates and finding.candidates[0].confidence >= ABSTAIN_BELOW
    return (failure, finding) if known else None


def split_command(command: str | None) -> tuple[str, ...]:
    """The words of a recorded command; () when it is unknown or a shell would see more than words in it."""
    if not command or len(command) > 4096:
        return ()
    import shlex

    try:
        words = shlex.split(command)
    except ValueError:
        return ()
    # An unquoted operator would make the words mean something else.
    bare = re.sub(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"", "", command)
    return () if re.search(r"[|&;<>`$\n]", bare) else tuple(words)


def read_user_files(failure: FailureText, root: Path | None) -> UserFiles:
    """The user's own Nix, JSON and TOML files: named in the text, then under ``root``; bounded."""
    texts: dict[str, str] = {}
    seen = "\n".join(line.text for line in failure.lines[-4000:])
    for match in _NAMED.finditer(seen):
        if not match[1].startswith("/nix/"):
            _read_into(texts, Path(match[1]))
    if root is not None:
        for path in _walk(root):
            _read_into(texts, path)
    return UserFiles(str(root) if root is not None else "", texts)


def _walk(root: Path) -> Iterable[Path]:
    """Files that may be the user's configuration, breadth first, without hidden and build directories."""
    level = [root]
    seen = 0
    for _ in range(DEPTH_MAX):
        below: list[Path] = []
        for folder in level:
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                seen += 1
                if seen > FILES_MAX * 20:
                    return
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith(".") and entry.name not in (
                        "node_modules",
                        "result",
                        "target",
                    ):
                        below.append(Path(entry.path))
                elif entry.name.endswith(_SUFFIXES) and entry.name != "package-lock.json":
                    yield Path(entry.path)
        level = below


def _read_into(texts: dict[str, str], path: Path) -> None:
    name = str(path)
    if name in texts or len(texts) >= FILES_MAX:
        return
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode) or info.st_size > FILE_SIZE_BYTES_MAX:
            return
        texts[name] = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        return


def _named_repository(failure: FailureText) -> Path | None:
    """The working tree that the text itself names, if it is here and belongs to who asks."""
    match = re.search(
        r"Git tree '(/[^'\n]+)' is dirty|git\+file://(/[^'\s?#]+)", failure.said + failure.trace
    )
    folder = _folder(match[1] or match[2]) if match else None
    try:
        mine = folder is not None and folder.stat().st_uid == os.getuid() and (folder / ".git").exists()
    except OSError:
        return None
    return folder if mine else None


def _folder(root: Path | str | None) -> Path | None:
    if root is None or str(root) == "":
        return None
    try:
        folder = Path(root).resolve()
        return folder if folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):
        return None


def read_source(path: str) -> tuple[str, bool]:
    """The text of a file or of stdin ("-"), at most its first 256 KiB and last 1 MiB. Raises Failure."""
    if path == "-":
        return _read_stream()
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= HEAD_SIZE_BYTES_MAX + TAIL_SIZE_BYTES_MAX:
                return bound(file.read(HEAD_SIZE_BYTES_MAX + TAIL_SIZE_BYTES_MAX + 1))
            head = file.read(HEAD_SIZE_BYTES_MAX)
            file.seek(-TAIL_SIZE_BYTES_MAX, os.SEEK_END)
            return (head + b"\n" + file.read(TAIL_SIZE_BYTES_MAX)).decode("utf-8", "replace"), True
    except FileNotFoundError:
        raise Failure(
            f"there is no file {path}",
            "nothing to explain",
            "name a file, or - for standard input",
            Exit.USAGE,
        ) from None
    except OSError as error:
        raise of_os_error("the text could not be read", path, error) from error


def _read_stream() -> tuple[str, bool]:
    head = bytearray()
    tail = bytearray()
    cut = False
    while chunk := os.read(sys.stdin.fileno(), 1 << 16):
        room = HEAD_SIZE_BYTES_MAX - len(head)
        head += chunk[:room]
        tail += chunk[room:] if room > 0 else chunk
        if len(tail) > 2 * TAIL_SIZE_BYTES_MAX:
            del tail[:-TAIL_SIZE_BYTES_MAX]
            cut = True
    if len(tail) > TAIL_SIZE_BYTES_MAX:
        del tail[:-TAIL_SIZE_BYTES_MAX]
        cut = True
    middle = b"\n" if cut else b""
    return bytes(head + middle + tail).decode("utf-8", "replace"), cut


def share_text(text: str, answer: Answer) -> str:
    """A text for an issue tracker: the failure without secrets, names and addresses, and what was found."""
    plain = hide_person(strip_escapes(text))
    if len(plain) > SHARE_CHARS_MAX:
        plain = plain[: SHARE_CHARS_MAX // 3] + "\n[…]\n" + plain[-SHARE_CHARS_MAX * 2 // 3 :]
    plain = plain.replace("```", "'''").strip("\n")
    known = answer.class_id or "unknown"
    lines = [
        "### What it says",
        "```",
        plain,
        "```",
        "",
        f"Class: `{known}` (signature `{answer.signature}`)",
    ]
    return "\n".join(lines) + "\n"


def run(
    path: str = "-",
    command: str | None = None,
    exit_code: int | None = None,
    root: str | None = None,
    as_json: bool = False,
    share: bool = False,
) -> int:
    """Print the answer for a file or standard input: 0 explained, 1 unknown; raises Failure."""
    text, _ = read_source(path)
    folder = root if root is not None else _default_root()
    local, prior = experience.read(Path(find_caller().data_dir))
    answer = explain_text(text, command=command, exit_code=exit_code, root=folder, local=local, prior=prior)
    if as_json:
        body = answer.to_json() | ({"share": share_text(text, answer)} if share else {})
        sys.stdout.write(json.dumps(body, ensure_ascii=False) + "\n")
    elif share:
        sys.stdout.write(share_text(text, answer))
    else:
        sys.stdout.write(printable(answer.to_text()))
    sys.stdout.flush()
    return int(Exit.OK if answer.class_id is not None else Exit.CHECK_FAILED)


def printable(text: str) -> str:
    """``text`` safe for a terminal and without secrets."""
    return hide_secrets(strip_escapes(text))


def _default_root() -> str | None:
    here = Path.cwd()
    try:
        has_nix = any(entry.name.endswith(".nix") for entry in os.scandir(here))
    except OSError:
        return None
    return str(here) if has_nix else None
