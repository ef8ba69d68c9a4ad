"""Every fix that can be said is harmless: the closed list is enumerated, the dangerous have no words."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.causes.catalogue import parse_catalogue
from luminous.node.core.causes.holes import HOLE_TYPES, fits, quote
from luminous.node.core.causes.verbs import VERBS, Kind, Verb, fill, setting_text
from luminous.node.shell.catalogue_files import load_catalogue

EXAMPLES = {
    "relative_path": ["hosts/box.nix", "a b", "../x"],
    "absolute_path": ["/etc/nixos", "/", "/a/../b"],
    "home_path": ["/home/me/.bashrc", "/etc/passwd"],
    "store_path": ["/nix/store/" + "0" * 32 + "-x-1.0", "/etc"],
    "drv_path": ["/nix/store/" + "0" * 32 + "-x-1.0.drv"],
    "word": ["firefox"],
    "lookup": ["nixpkgs"],
    "host": ["cache.nixos.org"],
    "unit": ["nginx.service"],
    "count": ["3"],
    "feature": ["flakes", "nix-command"],
    "limit": ["timeout", "substituters", "trusted-public-keys", "sandbox", "require-sigs"],
    "limit_value": ["10", "true"],
    "channel": ["https://channels.nixos.org/nixos-24.11", "https://evil.example/x"],
    "channel_name": ["nixos"],
    "program": ["nix-build", "curl"],
    "attribute": ["pkgs.git"],
    "setting": ["swapDevices", "nix.settings.substituters", "nix.settings.trusted-users"],
    "package": ["vscode"],
    "flag": ["--attr"],
}
# What must never come out, whoever asks.
FORBIDDEN = (
    "--impure",
    "substituters",
    "trusted-public-keys",
    "trusted-users",
    "trusted-substituters",
    "extra-trusted",
    "require-sigs",
    "no-check-sigs",
    "--no-require-sigs",
    "accept-flake-config",
    "sandbox",
    "curl",
    "wget",
    "--delete-older-than",
    "--delete-generations",
    "delete-generations",
    "wipe-history",
    "rm",
    "dd",
    "mkfs",
    "sh",
    "bash",
    "-c",
    "eval",
    "chmod",
    "chown",
    "sudo",
    "enable",
    "disable",
    "mask",
    "NIXPKGS_ALLOW_UNFREE=1",
    "ssl-cert-file",
    "http.sslVerify",
    "--insecure",
    "--force",
    "--hard",
    "reset",
    "clean",
    "push",
)


def _everything():
    """Every argument vector and setting line that verbs can make of the examples."""
    for verb in VERBS.values():
        if verb.kind is Kind.SETTING:
            choices = [[(name, v) for v in EXAMPLES[kind]] for name, kind in verb.holes]
            for values in itertools.product(*choices):
                line = setting_text(dict(values))
                if line:
                    yield verb, tuple(line.split())
        choices = [[(name, v) for v in EXAMPLES[kind]] for name, kind in verb.holes]
        for values in itertools.product(*choices):
            argv = fill(verb, dict(values))
            if argv:
                yield verb, argv


def test_every_hole_type_has_examples():
    assert set(EXAMPLES) == set(HOLE_TYPES)


def test_nothing_dangerous_is_expressible():
    seen = 0
    for verb, argv in _everything():
        seen += 1
        for word in argv:
            assert word not in FORBIDDEN, (verb.id, argv)
            assert "trusted-public-keys" not in word and "substituters" not in word, (verb.id, argv)
        if argv[:1] == ("nix-collect-garbage",) or "--gc" in argv:
            assert argv == ("nix-store", "--gc")
        if argv[:1] == ("systemctl",):
            assert argv[1] in ("start", "restart")
    assert seen > 30


def test_the_check_notices_a_dangerous_verb():
    planted = Verb(
        "bad", Kind.COMMAND, VERBS["advise"].safety, ("nix-collect-garbage", "--delete-older-than", "1d")
    )
    assert any(word in FORBIDDEN for word in fill(planted, {}) or ())


def test_the_catalogue_cannot_name_an_unknown_verb_or_hole():
    table = {
        "stage": "build", "cause": "", "general": "", "prevention": "", "asks": [], "rules": [],
        "fixes": [{"id": "x.y", "verb": "run_shell", "text": "", "pair": -1}],
    }  # fmt: skip
    with pytest.raises(ValueError, match="closed list"):
        parse_catalogue({"x": table})
    table["fixes"][0] |= {"verb": "nix_log", "holes": {"command": "name"}}
    with pytest.raises(ValueError, match="no hole"):
        parse_catalogue({"x": table})


METACHARACTERS = " \t\n\r;&|<>$`\\\"'(){}[]*?!#\x00\x1b"


@pytest.mark.parametrize("kind", sorted(HOLE_TYPES))
@pytest.mark.parametrize("bad", list(METACHARACTERS))
def test_no_metacharacter_fits_a_hole(kind, bad):
    if kind == "unit" and bad == "\\":
        return  # systemd's own escape, quoted when it is shown
    for example in EXAMPLES[kind]:
        for place in (0, len(example) // 2, len(example)):
            value = example[:place] + bad + example[place:]
            allowed = bad == "?" and kind in ("store_path", "package", "drv_path")  # legal in store paths
            assert not fits(kind, value) or allowed, value


@pytest.mark.parametrize("kind", sorted(set(HOLE_TYPES) - {"flag"}))
def test_no_value_is_read_as_a_flag(kind):
    for example in EXAMPLES[kind]:
        assert not fits(kind, "-" + example)
        assert not fits(kind, "--" + example)


@given(st.text(max_size=40), st.sampled_from(sorted(HOLE_TYPES)))
@settings(max_examples=150)
def test_what_fits_survives_a_shell(text, kind):
    import shlex

    if fits(kind, text):
        assert shlex.split(quote((text,))) == [text]


@pytest.mark.parametrize("path", ["../x", "a/../../etc/passwd", "/etc/passwd", "-rf", "a/.."])
def test_a_relative_path_stays_below(path):
    assert fill(VERBS["git_add"], {"path": path}) is None
    assert fill(VERBS["git_add"], {"path": "hosts/box.nix"}) == ("git", "add", "--", "hosts/box.nix")


def test_every_fix_of_the_catalogue_has_words_safety_and_a_pair_of_its_own_class():
    import tomllib
    from pathlib import Path

    import luminous.protocol

    text = (Path(luminous.protocol.__file__).parent / "vocabulary" / "fixes.toml").read_text("utf-8")
    pairs = {pair["id"]: pair for pair in tomllib.loads(text)["pair"]}
    assert sorted(pairs) == list(range(32))
    assert len({(p["class"], p["fix"]) for p in pairs.values()}) == 32
    used = set()
    for entry in load_catalogue().classes.values():
        assert entry.fixes and entry.general and entry.prevention, entry.id
        for fix in entry.fixes:
            assert fix.text and VERBS[fix.verb].safety
            if fix.pair >= 0:
                assert pairs[fix.pair]["class"] == entry.id, fix.id
                used.add(fix.pair)
        # something can always be said, whatever the text lacked
        assert any(VERBS[f.verb].kind in (Kind.WORDS, Kind.COMMAND) for f in entry.fixes), entry.id
    assert used == set(range(32))
