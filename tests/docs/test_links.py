"""Links inside the documentation lead somewhere: files that exist, headings that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
_MENTIONED = re.compile(
    r"`((?:protocol|crypto|node|simulations|tests|docs)/[\w./-]+\.(?:py|md|toml|json|svg))`"
)


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    found: set[str] = set()
    for heading in re.findall(r"(?m)^#+ +(.+?)\s*$", re.sub(r"```.*?```", "", page, flags=re.S)):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        found.add(words.replace(" ", "-"))
    return found


def broken(path: Path, page: str, root: Path = ROOT) -> list[str]:
    """Links of one page that lead nowhere, and files it names that do not exist."""
    found = []
    for target in _LINK.findall(_CODE.sub("", page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            found.append(target)
        elif anchor and file.suffix == ".md":
            text = page if file == path else file.read_text(encoding="utf-8")
            found += [] if anchor in anchors(text) else [target]
    return found + [
        name for name in _MENTIONED.findall(page) if "NNNN" not in name and not (root / name).exists()
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    assert broken(path, path.read_text(encoding="utf-8")) == []


def test_planted_dead_ends_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# What *it* does, 1\n")
    page = (
        "[a](nowhere.md) [b](other.md#what-it-does-1) [c](other.md#what) [d](#here) [e](https://example.org/x)\n"
        "# Here\n`[f](code.md)` `protocol/no_such_file.py`\n"
    )
    (tmp_path / "page.md").write_text(page)
    found = broken(tmp_path / "page.md", page)
    assert found == ["nowhere.md", "other.md#what", "protocol/no_such_file.py"]
