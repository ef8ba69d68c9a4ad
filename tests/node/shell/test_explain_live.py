"""Real failures of the Nix that is installed, made afresh: each is named, and none is confidently wrong."""

import shutil
from pathlib import Path

import pytest

from luminous.node.shell.explain import explain_text
from luminous.simulations.nix_failures import CASES, run_case

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("nix-build") or not shutil.which("git"), reason="nix or git is not installed"
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{c.label}" for i, c in enumerate(CASES)])
def test_a_real_failure_is_named(case, tmp_path: Path):
    done = run_case(case, tmp_path)
    assert done.returncode != 0, "the case does not fail with this Nix"
    asked = explain_text(done.stderr, command=case.command, exit_code=done.returncode, root=tmp_path / "w")
    assert asked.class_id == case.label, done.stderr
    blind = explain_text(done.stderr, command=case.command, exit_code=done.returncode, ask=False)
    assert blind.class_id == case.label or blind.confidence <= 0.8, (blind.class_id, done.stderr)
    assert asked.fixes
    if case.files.get("a.nix") and ".nix:" in done.stderr and "/w/a.nix:" in done.stderr:
        assert asked.file is not None and asked.file.endswith("/a.nix") and asked.line >= 1
