"""Settings: where they come from, which source wins, and what is said about a wrong one."""

from dataclasses import replace
from pathlib import Path

import pytest

from albatross.config import Config, RunSpec, from_json, settings
from albatross.setting import ConfigError
from albatross.sources import load


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(tmp_path):
    assert load({}, {}).port == 4566
    Path("albatross.toml").write_text("port = 1001\n")
    assert load({}, {}).port == 1001
    assert load({}, {"ALBATROSS_PORT": "1002"}).port == 1002
    assert load({"port": "1003"}, {"ALBATROSS_PORT": "1002"}).port == 1003
    assert load({"port": None}, {"ALBATROSS_PORT": "1002"}).port == 1002


def test_every_source_can_set_every_kind_of_value():
    Path("other.toml").write_text('strict = true\ngrace_s = 3\nregion = "eu-west-1"\n')
    from_file = load({}, {}, "other.toml")
    variables = {
        "ALBATROSS_STRICT": "yes",
        "ALBATROSS_GRACE_S": "3",
        "ALBATROSS_REGION": "eu-west-1",
    }
    assert load({}, variables) == from_file
    assert load({"strict": True, "grace_s": "3", "region": "eu-west-1"}, {}) == from_file
    assert (from_file.strict, from_file.grace_s, from_file.region) == (True, 3.0, "eu-west-1")


def test_paths_are_made_absolute(tmp_path):
    config = load({"data_dir": "here", "hosts_file": "~/hosts"}, {})
    assert config.data_dir == str(tmp_path / "here")
    assert config.hosts_file == str(Path.home() / "hosts")


@pytest.mark.parametrize(
    ("flags", "environ", "file", "message"),
    [
        pytest.param(
            {"port": "http"}, {}, "", "--port must be a whole number, not 'http'.", id="flag"
        ),
        pytest.param(
            {"port": "65536"},
            {},
            "",
            "--port must be from 0 to 65,535, not '65536'.",
            id="out of range",
        ),
        pytest.param(
            {},
            {"ALBATROSS_STRICT": "maybe"},
            "",
            "ALBATROSS_STRICT must be true or false, not 'maybe'.",
            id="variable",
        ),
        pytest.param(
            {},
            {},
            '# mine\n\nlog_level = "loud"\n',
            "albatross.toml:3: log_level must be one of debug, info, warning, error, not 'loud'.",
            id="file and line",
        ),
        pytest.param(
            {},
            {},
            "account = 123456789012\n",
            "albatross.toml:1: account must be text, not 123456789012.",
            id="type in the file",
        ),
        pytest.param(
            {},
            {},
            "port = true\n",
            "albatross.toml:1: port must be a whole number, not True.",
            id="a boolean is no number",
        ),
        pytest.param(
            {},
            {},
            "prot = 1\n",
            "albatross.toml:1: there is no setting 'prot'. Did you mean port?",
            id="unknown setting",
        ),
        pytest.param(
            {},
            {"ALBATROSS_REGON": "eu-west-1"},
            "",
            "ALBATROSS_REGON: there is no such setting. Did you mean region?",
            id="slip in a variable",
        ),
        pytest.param(
            {"grace_s": "nan"}, {}, "", "--grace-s must be from 0 to 3,600, not 'nan'.", id="nan"
        ),
        pytest.param(
            {"bind": "localhost"},
            {},
            "",
            "--bind must be an IP address, for example 127.0.0.1 or 0.0.0.0, not 'localhost'.",
            id="address",
        ),
        pytest.param(
            {"addresses": "127.0.0.1/24"},
            {},
            "",
            "--addresses must be an IPv4 network, for example 127.0.0.0/24, not '127.0.0.1/24'.",
            id="network with host bits",
        ),
        pytest.param(
            {"region": ""},
            {},
            "",
            "--region must be the name of a Region, for example us-east-1, not ''.",
            id="empty",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_place_and_the_remedy(flags, environ, file, message):
    Path("albatross.toml").write_text(file)
    with pytest.raises(ConfigError) as caught:
        load(flags, environ)
    assert str(caught.value) == message


def test_a_file_that_is_no_toml_is_named_with_the_line():
    Path("albatross.toml").write_text("port = 1\nregion =\n")
    with pytest.raises(ConfigError, match=r"^albatross\.toml: not valid TOML: .*line 2"):
        load({}, {})


def test_a_file_that_was_asked_for_must_exist():
    with pytest.raises(ConfigError, match=r"^nowhere\.toml: no such file"):
        load({}, {}, "nowhere.toml")


def test_variables_of_others_with_our_prefix_are_left_alone():
    others = {"ALBATROSS_SERVICE_HOST": "10.0.0.1", "ALBATROSS_ENDPOINT": "http://localhost:4566"}
    assert load({}, others) == load({}, {})


def test_settings_go_to_the_other_processes_unchanged():
    run = RunSpec(directory="/x", handler="app.handler", runtime="python3.11", port=80)
    config = replace(Config(strict=True, grace_s=0.5), run=run)
    assert from_json(config.to_json()) == config
    assert from_json(Config().to_json()) == Config()


def test_environment_variables_of_a_function_do_not_show_in_a_repr():
    run = RunSpec(directory="/", handler="a.b", runtime="x", port=1, environment={"KEY": "secret"})
    assert "secret" not in repr(Config(run=run))


def test_the_default_data_directory_follows_xdg(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert Config().data_dir == "/data/albatross"


def test_every_setting_has_a_doc_that_is_a_sentence():
    for setting in settings():
        doc = setting.metadata["doc"]
        assert doc[0].isupper() and doc.endswith("."), setting.name


@pytest.mark.parametrize(
    ("bind", "loopback"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("0.0.0.0", False)],
)
def test_loopback_addresses_are_known(bind, loopback):
    assert Config(bind=bind).is_loopback is loopback


def test_the_table_of_instances_maps_ids_to_addresses():
    Path("albatross.toml").write_text('[instances]\ni-0a1b = "127.0.0.2"\ni-0c = "::1"\n')
    config = load({}, {})
    assert config.instances == {"i-0a1b": "127.0.0.2", "i-0c": "::1"}
    assert from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("instances = 1", "must be a table", id="no table"),
        pytest.param('[instances]\nweb = "127.0.0.2"', "not the id of an instance", id="no id"),
        pytest.param('[instances]\ni-0a = "here"', "must be an IP address", id="no address"),
        pytest.param("[instances]\ni-0a = 1", "must be an IP address", id="a number"),
    ],
)
def test_a_wrong_table_of_instances_is_refused(text, fault):
    Path("albatross.toml").write_text(text)
    with pytest.raises(ConfigError, match=fault):
        load({}, {})


ARN = "arn:aws:lambda:us-east-1:123456789012:function"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param('[instances]\n# web\nweb = "127.0.0.1"', 3, id="an entry"),
        pytest.param('[instances]\ni-0a = "127.0.0.1"\ni-0a1 = "here"', 3, id="one of two alike"),
        pytest.param(
            f'[remote_functions."{ARN}:a"]\nendpoint = "http://x"\n\n'
            f'[remote_functions."{ARN}:b"]\nregion = "x"\nendpoint = "ftp://x"\n',
            6,
            id="a member of the second table",
        ),
        pytest.param(f'[remote_functions]\n"{ARN}:a" = {{ endpoint = "x" }}', 2, id="in one line"),
        pytest.param("strict = true\nremote_functions = 1", 2, id="no table"),
    ],
)
def test_a_mistake_in_a_table_is_named_by_its_line(text, line):
    Path("albatross.toml").write_text(text)
    with pytest.raises(ConfigError, match=rf"^albatross\.toml:{line}: "):
        load({}, {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("rules-per-application-load-balancer=2000", None, id="fine"),
        pytest.param("rules=2000", "has no quota 'rules'. These can be changed: ", id="none such"),
        pytest.param("target-groups=0", "from 1 up for 'target-groups', not 0", id="too small"),
        pytest.param(
            "condition-values-per-alb-rule=6", "which AWS does not change either", id="fixed"
        ),
        pytest.param("network-load-balancers=60", "does not change", id="of another kind"),
        pytest.param("target-groups=many", "must be names and whole numbers", id="no number"),
    ],
)
def test_quotas_are_names_and_numbers(text, fault):
    environ = {"ALBATROSS_QUOTAS": text}
    if fault is None:
        assert load({}, environ).quotas == {"rules-per-application-load-balancer": 2000}
    else:
        with pytest.raises(ConfigError, match=fault):
            load({}, environ)
