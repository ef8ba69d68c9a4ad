"""Settings: precedence, origins, and errors that name the line and the nearest key."""

from pathlib import Path

import pytest

from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.settings import VARIABLES, Settings
from luminous.node.shell.settings_file import KEYS, flat, load

SEED_FILE = """\
federated:
  enabled: true
  privacy_level: differential
  min_participants: 3

infrastructure:
  monitoring_interval: 30
  auto_healing: true
  optimization_threshold: 0.7

causal:
  learning_enabled: true
  wisdom_extraction: true
  max_graph_size: 10000
"""
SEED_VARIABLES = {
    "LUMINOUS_FEDERATED_ENABLED": "true",
    "LUMINOUS_PRIVACY_LEVEL": "differential",
    "LUMINOUS_DIFFERENTIAL_EPSILON": "1.0",
    "LUMINOUS_MONITORING_ENABLED": "true",
    "LUMINOUS_HEALTH_CHECK_INTERVAL": "30",
    "LUMINOUS_AUTO_HEALING": "true",
    "LUMINOUS_CAUSAL_LEARNING": "true",
    "LUMINOUS_WISDOM_EXTRACTION": "true",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "phase4.yaml"


def wrong(file: Path, text: str) -> Failure:
    file.write_text(text)
    with pytest.raises(Failure) as caught:
        load(file, {})
    assert caught.value.code == Exit.CONFIGURATION
    return caught.value


def test_no_file_and_no_variable_is_all_defaults(file: Path) -> None:
    loaded = load(file, {})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert not loaded.settings.federated.enabled
    assert not loaded.settings.infrastructure.auto_healing


def test_the_seeds_file_is_read_as_it_stands(file: Path) -> None:
    file.write_text(SEED_FILE)
    loaded = load(file, {})
    assert loaded.settings.federated.enabled
    assert loaded.settings.infrastructure.optimization_threshold == 0.7
    assert loaded.origins["causal.max_graph_size"] == f"{file}:14"
    assert loaded.warnings == ()


def test_the_seeds_variables_are_read_as_they_stand(file: Path) -> None:
    loaded = load(file, SEED_VARIABLES)
    assert loaded.warnings == ()
    assert set(VARIABLES) == set(SEED_VARIABLES)
    for variable, key in VARIABLES.items():
        assert loaded.origins[key] == variable
    assert loaded.settings.infrastructure.monitoring_interval == 30
    assert loaded.settings.learning.epsilon == 1.0


def test_a_setting_that_changes_nothing_says_so(file: Path) -> None:
    file.write_text("control:\n  log_level: debug\nfederated:\n  enabled: true\n")
    assert load(file, {}).idle == (f"control.log_level ({file}:2) changes nothing in this version",)
    assert load(file.with_name("none"), {}).idle == ()


def test_flag_beats_variable_beats_file_beats_default(file: Path) -> None:
    key = "infrastructure.monitoring_interval"
    name = "LUMINOUS_HEALTH_CHECK_INTERVAL"
    file.write_text("infrastructure:\n  monitoring_interval: 40\n")
    found = [
        load(file, {name: "50"}, {key: "60"}),
        load(file, {name: "50"}),
        load(file, {}),
        load(file.with_name("none"), {}),
    ]
    assert [f.settings.infrastructure.monitoring_interval for f in found] == [60, 50, 40, 30]
    assert [f.origins[key] for f in found] == ["flag", name, f"{file}:2", "default"]


def test_every_key_has_a_variable(file: Path) -> None:
    loaded = load(file, {"LUMINOUS_NETWORK__LISTEN": "/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2"})
    assert loaded.settings.network.listen == ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2")
    for key, value in flat(Settings()).items():
        if isinstance(value, bool | int | float) and key != "consent.schema":
            name = "LUMINOUS_" + key.replace(".", "__").upper()
            assert load(file, {name: str(value)}).origins[key] == name


@pytest.mark.parametrize(
    ("text", "line", "nearest"),
    [
        ("federated:\n  enabeld: true\n", 2, "enabled"),
        ("infrastructure:\n  auto_healing: true\n  monitoring_intervall: 3\n", 3, "monitoring_interval"),
        ("federatd:\n  enabled: true\n", 1, "federated"),
        ("network:\n  bootstraps: []\n", 2, "bootstrap"),
    ],
)
def test_an_unknown_key_is_an_error_with_line_and_nearest_name(
    file: Path, text: str, line: int, nearest: str
) -> None:
    failure = wrong(file, text)
    assert f"{file}:{line}" in failure.what
    assert f"did you mean {nearest}?" in failure.why


@pytest.mark.parametrize(
    "text",
    [
        "federated:\n  enabled: 3\n",
        "federated:\n  privacy_level: secret\n",
        "infrastructure:\n  monitoring_interval: soon\n",
        "infrastructure:\n  monitoring_interval: 0\n",
        "infrastructure:\n  monitoring_interval: 2026-01-01\n",
        "learning:\n  epsilon: 1.5\n",
        "learning:\n  epsilon: .nan\n",
        "healing:\n  consent_level: 5\n",
        "network:\n  listen: [1, 2]\n",
        "federated: [1]\n",
        "- federated\n",
        "federated:\n  enabled: true\n  enabled: false\n",
        "federated: {enabled: [\n",
        "federated:\n  enabled: !!python/object:os.system {}\n",
        "? {a: 1}\n: 2\n",
        "\x00",
    ],
)
def test_a_wrong_value_or_file_is_an_error_with_a_place(file: Path, text: str) -> None:
    assert str(file) in wrong(file, text).what


def test_a_file_that_is_not_text_or_too_large_is_an_error(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Failure, match="wrong at"):
        load(file, {})
    file.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(Failure, match="wrong at"):
        load(file, {})


def test_a_directory_in_its_place_is_an_error(file: Path) -> None:
    file.mkdir()
    with pytest.raises(Failure, match="cannot be read"):
        load(file, {})


def test_epsilon_may_be_lowered_and_never_raised(file: Path) -> None:
    assert load(file, {"LUMINOUS_DIFFERENTIAL_EPSILON": "0.5"}).settings.learning.epsilon == 0.5
    for value in ("1.01", "0", "-1", "nan", "inf"):
        with pytest.raises(Failure):
            load(file, {"LUMINOUS_DIFFERENTIAL_EPSILON": value})


def test_an_unknown_variable_is_a_warning_with_the_nearest_name(file: Path) -> None:
    loaded = load(file, {"LUMINOUS_FEDERATED_ENABLE": "1", "LUMINOUS_DATA_DIR": "/x", "OTHER": "1"})
    (warning,) = loaded.warnings
    assert "LUMINOUS_FEDERATED_ENABLE " in warning
    assert "did you mean LUMINOUS_FEDERATED_ENABLED?" in warning


def test_empty_sections_and_files_are_defaults(file: Path) -> None:
    for text in ("", "federated:\n", "# nothing\n", "---\n"):
        file.write_text(text)
        assert load(file, {}).settings == Settings()


def test_every_key_of_the_table_exists(file: Path) -> None:
    assert set(VARIABLES.values()) <= set(KEYS)
    assert set(flat(Settings())) == set(KEYS) == set(load(file, {}).origins)


def test_a_bootstrap_address_that_cannot_be_dialled_is_a_warning_with_its_line(file: Path) -> None:
    good = "/ip4/203.0.113.7/tcp/4001/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
    file.write_text(f"network:\n  bootstrap: ['{good}', '203.0.113.7:4001']\n")
    (warning,) = load(file, {}).warnings
    assert f"{file}:2" in warning and "'203.0.113.7:4001'" in warning and good not in warning
