"""The words behind a command that hands them on: options first, then the command line they are about.

Refuses to guess: an unknown option is an error that names the known ones.
"""

from collections.abc import Mapping, Sequence

from luminous.node.shell.failure import Exit, Failure


def split(
    words: Sequence[str], known: Mapping[str, int], usage: str
) -> tuple[dict[str, list[str]], list[str]]:
    """The options with their values, and the command line. `known`: option to its number of values.

    `--` ends the options. Raises Failure for an unknown option or a missing value.
    """
    options: dict[str, list[str]] = {}
    rest = list(words)
    while rest and rest[0].startswith("--"):
        word = rest.pop(0)
        if word == "--":
            break
        if word not in known:
            raise Failure(f"unknown option {word[:60]!r}", f"known are {', '.join(known)}", usage, Exit.USAGE)
        count = known[word]
        if len(rest) < count:
            raise Failure(f"{word} wants {count} more words", f"there are {len(rest)}", usage, Exit.USAGE)
        options[word], rest = rest[:count], rest[count:]
    return options, rest


def say(facts: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print one answer: a line of JSON, or words for a person."""
    import json
    import sys

    shown = json.dumps(facts, sort_keys=True, ensure_ascii=False) if as_json else text
    sys.stdout.write(shown.encode("utf-8", "replace").decode("utf-8") + "\n")
