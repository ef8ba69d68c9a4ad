"""What no tracked file may say: hosts of package registries, paths of one machine, how the text was made.

The repository speaks of the project alone.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().relative_to(ROOT).as_posix()
SIZE_BYTES_MAX = 4 * 1024 * 1024

FORBIDDEN = {
    "a registry's host": r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|registry\.yarnpkg|"
    r"index\.crates\.io|static\.crates\.io|proxy\.golang\.org|rubygems\.org)\b|--(?:extra-)?index-url",
    "a path of one machine": r"(?<![\w.$}])/(?:work/(?:main|shared|\.)|tmp/lum\b|"
    r"root/\.(?:pyenv|cache|npm)\b)",
    "how the text was made": r"(?i:\b(?:chatgpt|openai|anthropic|claude|github copilot|subagents?|"
    r"system prompt|context window|prompt engineering|coding agent|as an ai\b|ai[- ]generated|"
    r"(?:ai|coding|chat) (?:assistant|session|conversation)|generated (?:by|with) (?:an? )?ai\b)|"
    r"^co-authored-by:)|\bGPT-\d",
}
_PATTERNS = {name: re.compile(pattern, re.M) for name, pattern in FORBIDDEN.items()}


def found_in(text: str) -> list[str]:
    """What the text says that it may not, with the line."""
    return [
        f"line {text.count(chr(10), 0, hit.start()) + 1}: {name}: {hit[0]!r}"
        for name, pattern in _PATTERNS.items()
        for hit in pattern.finditer(text)
    ]


def tracked() -> list[str]:
    """Every tracked file, but this one, which has to name what it looks for."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in run.stdout.split("\0") if name and name != HERE]


def test_no_tracked_file_says_it() -> None:
    names = tracked()
    assert len(names) > 100
    found = []
    for name in names:
        path = ROOT / name
        if path.is_symlink() or not path.is_file():
            continue
        assert path.stat().st_size <= SIZE_BYTES_MAX, f"{name} is too large to be looked at"
        raw = path.read_bytes()
        if b"\0" not in raw[:4096]:
            found += [f"{name}, {line}" for line in found_in(raw.decode("utf-8", "replace"))]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(
    "planted",
    [
        '"resolved": "https://registry.npmjs.org/libp2p/-/libp2p.tgz"',
        "pip install --index-url https://example.org/simple luminous-node",
        "see https://pypi.org/project/libp2p",
        "cd /work/main && make",
        "open('/tmp/lum/notes')",
        "This was written with Claude.",
        "# an AI assistant wrote this",
        "fix: a bug\n\nCo-Authored-By: somebody",
    ],
)
def test_a_planted_word_is_found(planted: str) -> None:
    assert len(found_in(planted)) >= 1


@pytest.mark.parametrize(
    "honest",
    [
        "the shell's prompt is not held up; PROMPT_COMMAND keeps its value",
        "one sync session with a peer; pytest's session scope",
        "/nix/var/nix/profiles/per-user/root/channels and /root/.nix-defexpr/channels",
        "a narrator port for a local language model: it may rephrase evidence, never add a command",
        "frameworks/work/items, $HOME/work/main.nix, and the assistant of Luminous Nix",
        "docs.rs and crates of libp2p",
    ],
)
def test_the_language_of_the_field_is_free(honest: str) -> None:
    assert found_in(honest) == []
