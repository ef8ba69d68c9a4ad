"""Cleaning, cutting, masking: nothing raw comes through, and the same error has the same signature."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.causes.redact import hide_person, hide_secrets
from luminous.node.core.causes.signature import cause_line, signature
from luminous.node.core.causes.text import LineKind, bound, read_failure, strip_escapes

NEW = """error:
       … while calling the 'head' builtin
         at /home/ann/cfg/a.nix:3:5:
            2| let
            3|   x = throw "\\nFailed assertions: no space left on device";
             |   ^
       (stack trace truncated; use '--show-trace' to show the full, detailed trace)

       error: attribute 'firefx' missing
       at /home/ann/cfg/a.nix:9:7:
            9| pkgs.firefx
       Did you mean firefox?
"""
OLD = "error: attribute ‘chromim’ missing, at /etc/nixos/b.nix:1:2\n(use '--show-trace' to show more)\n"


def test_lines_are_told_apart():
    failure = read_failure(NEW + "hello> cc: error\n       > make: *** [all] Error 1\n┃ > ld: killed\n")
    kinds = [line.kind for line in failure.lines if line.text.strip()]
    assert kinds.count(LineKind.EXCERPT) == 4
    assert kinds.count(LineKind.LOG) == 3
    assert "no space left" not in failure.outside.lower()


def test_old_and_new_wording_share_a_signature_and_another_error_does_not():
    other = "error: undefined variable 'x'\n"
    assert cause_line(read_failure(NEW)) == "attribute 'firefx' missing"
    assert signature(read_failure(NEW)) == signature(read_failure("error: attribute 'z' missing\n"))
    assert cause_line(read_failure(OLD)).startswith("attribute 'chromim' missing")
    assert signature(read_failure(NEW)) != signature(read_failure(other))
    assert len(signature(read_failure(""))) == 16


def test_names_paths_and_hashes_do_not_change_the_signature():
    a = "error: builder for '/nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-x-1.0.drv' failed with exit code 1"
    b = "error: builder for '/nix/store/1v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-y-9.drv' failed with exit code 2"
    assert signature(read_failure(a)) == signature(read_failure(b))


@given(st.binary(max_size=2000))
@settings(max_examples=100)
def test_any_bytes_are_read_and_nothing_controls_the_terminal(raw):
    text, cut = bound(raw)
    failure = read_failure(text, cut=cut)
    for line in failure.lines:
        assert all(c.isprintable() or c in "\t " or c.isspace() for c in line.text)
        assert "\x1b" not in line.text
    signature(failure)


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b]0;title\x07x",
        "\x1b[31;1mx\x1b[0m",
        "\x1b]8;;http://e\x1b\\x\x1b]8;;\x1b\\",
        "\x1bP1$r\x1b\\x",
        "\x9b31mx",
    ],
)
def test_escapes_are_gone(hostile):
    assert strip_escapes(hostile) == "x"


def test_a_huge_text_is_cut():
    text, cut = bound(b"first\n" + b"x" * 3_000_000 + b"\nlast")
    assert cut and text.startswith("first") and text.endswith("last") and len(text) < 1_400_000


SECRETS = [
    "https://bob:hunter2secret@git.example/x",
    "access-tokens = github.com=ghp_0123456789abcdefghijABCDEFGHIJ",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "Authorization: Bearer abcdefghijklmnop1234",
    'password = "correct-horse"',
    "--token s3cr3tvalue99",
    "API_KEY=abcd1234efgh",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----",
    "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQ",
    'hashedPassword = "$6$salt$abcdefghijklmnopqrstuvwxyz0123456789"',
]
TELLING = ["hunter2secret", "ghp_0123", "ghp_0123", "abcdefghijklmnop1234", "correct-horse", "s3cr3tvalue99",
           "abcd1234efgh", "b3BlbnNz", "QQQQQQQQ", "abcdefghijklmnopqrst"]  # fmt: skip


@pytest.mark.parametrize(("text", "telling"), list(zip(SECRETS, TELLING, strict=True)))
def test_secrets_are_hidden(text, telling):
    assert telling not in hide_secrets("error: x " + text + " y")


def test_harmless_text_stays():
    text = "error: hash mismatch in fixed-output derivation '/nix/store/x.drv': specified: sha256-AAAA="
    assert hide_secrets(text) == text
    assert hide_secrets("sops-install-secrets: Cannot read file") == "sops-install-secrets: Cannot read file"


def test_a_shared_text_names_nobody():
    shared = hide_person(
        "error at /home/ann/cfg 192.168.1.20 ann@example.org nixosConfigurations.annsbox.config"
    )
    for name in ("ann/", "192.168", "example.org", "annsbox"):
        assert name not in shared
