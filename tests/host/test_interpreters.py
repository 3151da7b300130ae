"""Which Python or Node.js runs a runtime of a name, on machines that have this or that."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from albatross.host.local import interpreters
from albatross.host.local.interpreters import Interpreter

OWN = Interpreter(sys.executable, sys.version_info[:2])
HOMES = ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "NVM_DIR", "FNM_DIR", "VOLTA_HOME", "N_PREFIX")

Machine = Callable[..., Path]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Let there be nothing but what the test installs: `machine("home/bin/python3.9", "3.9")`."""
    for name in (*HOMES, "ASDF_DATA_DIR", "MISE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("N_PREFIX", str(tmp_path / "prefix"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    interpreters.forget()

    def install(place: str, says: str, real: str = "$0") -> Path:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho {says} {real}\n" if says else "#!/bin/sh\nexit 127\n")
        path.chmod(0o755)
        return path

    yield install
    interpreters.forget()


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("bin/python3.99", id="path"),
        pytest.param("home/.pyenv/versions/3.99.1/bin/python3", id="pyenv"),
        pytest.param("home/.local/share/uv/python/cpython-3.99.1-linux-x/bin/python3", id="uv"),
        pytest.param("home/.asdf/installs/python/3.99.1/bin/python3", id="asdf"),
        pytest.param("home/.local/share/mise/installs/python/3.99.1/bin/python3", id="mise"),
        pytest.param("bin/python3", id="path without a version"),
    ],
)
def test_a_python_is_found_where_it_is(machine: Machine, place: str) -> None:
    name = "python3.19" if place == "bin/python3.99" else "python3.99"
    version = (3, 19) if place == "bin/python3.99" else (3, 99)
    path = machine(place.replace("3.99", "3.19") if version == (3, 19) else place,
                   ".".join(map(str, version)))  # fmt: skip
    assert interpreters.python(name) == Interpreter(str(path), version)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("bin/node", id="path"),
        pytest.param("bin/nodejs", id="path, as Debian had it"),
        pytest.param("home/.nvm/versions/node/v22.3.0/bin/node", id="nvm"),
        pytest.param("home/.local/share/fnm/node-versions/v22.3.0/installation/bin/node", id="fnm"),
        pytest.param("home/.volta/tools/image/node/22.3.0/bin/node", id="volta"),
        pytest.param("prefix/n/versions/node/22.3.0/bin/node", id="n"),
        pytest.param("home/.asdf/installs/nodejs/22.3.0/bin/node", id="asdf"),
        pytest.param("home/.local/share/mise/installs/node/22.3.0/bin/node", id="mise"),
    ],
)
def test_a_node_is_found_where_it_is(machine: Machine, place: str) -> None:
    path = machine(place, "22")
    assert interpreters.node("nodejs22.x") == Interpreter(str(path), (22,))


def test_a_variable_says_where_a_version_manager_keeps_things(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NVM_DIR", str(tmp_path / "elsewhere"))
    path = machine("elsewhere/versions/node/v18.1.0/bin/node", "18")
    assert interpreters.node("nodejs18.x") == Interpreter(str(path), (18,))


def test_the_latest_release_of_a_version_is_taken(machine: Machine) -> None:
    for release in ("22.9.0", "22.10.1", "22.2.0"):
        machine(f"home/.nvm/versions/node/v{release}/bin/node", "22")
    found = interpreters.node("nodejs22.x")
    assert found is not None
    assert "v22.10.1" in found.path


def test_the_servers_own_python_is_taken_without_a_look_at_others(
    machine: Machine, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    machine("bin/python3", f"$(: > {asked}) 3.11")
    own = "python" + ".".join(map(str, OWN.version))
    assert interpreters.python(own) == OWN
    assert not asked.exists()
    assert interpreters.python("python3.99") is not None
    assert asked.exists()


def test_a_stand_in_is_replaced_by_what_it_stands_for(machine: Machine) -> None:
    machine("bin/python3.19", "3.19", "/real/python3.19")
    assert interpreters.python("python3.19") == Interpreter("/real/python3.19", (3, 19))


def test_a_stand_in_for_nothing_is_passed_over(machine: Machine) -> None:
    machine("bin/python3.19", "")
    real = machine("home/.pyenv/versions/3.19.0/bin/python3", "3.19")
    assert interpreters.python("python3.19") == Interpreter(str(real), (3, 19))


@pytest.mark.parametrize(
    ("name", "there", "expected"),
    [
        pytest.param("nodejs22.x", [20, 24], 24, id="the newer of two as far away"),
        pytest.param("nodejs22.x", [18, 20, 26], 20, id="the nearest"),
        pytest.param("nodejs8.10", [18, 22], 18, id="a retired one on the oldest"),
        pytest.param("nodejs", [18, 22], 18, id="the first of all"),
        pytest.param("nodejs24.x", [14, 18], 18, id="none that is too old"),
    ],
)
def test_the_nearest_takes_the_place_of_what_is_not_there(
    machine: Machine,
    caplog: pytest.LogCaptureFixture,
    name: str,
    there: list[int],
    expected: int,
) -> None:
    for major in there:
        machine(f"home/.nvm/versions/node/v{major}.0.0/bin/node", str(major))
    with caplog.at_level(logging.WARNING):
        found = interpreters.node(name)
    assert found is not None
    assert found.version == (expected,)
    assert caplog.messages == [
        f"{name} is not installed here: its functions run on Node.js {expected} "
        f"({found.path}) instead"
    ]


def test_without_another_python_ours_runs_all(machine: Machine) -> None:
    assert interpreters.python("python3.99") == OWN
    assert interpreters.python("python2.7") == OWN


def test_no_node_is_none_until_one_is_installed(machine: Machine) -> None:
    machine("bin/node", "12")
    assert interpreters.node("nodejs12.x") is None
    new = machine("home/.nvm/versions/node/v22.3.0/bin/node", "22")
    assert interpreters.node("nodejs12.x") == Interpreter(str(new), (22,))


def test_what_is_gone_is_looked_for_again(machine: Machine) -> None:
    old = machine("home/.nvm/versions/node/v22.3.0/bin/node", "22")
    assert interpreters.node("nodejs22.x") == Interpreter(str(old), (22,))
    new = machine("home/.nvm/versions/node/v22.4.0/bin/node", "22")
    assert interpreters.node("nodejs22.x") == Interpreter(str(old), (22,))
    old.unlink()
    assert interpreters.node("nodejs22.x") == Interpreter(str(new), (22,))


def test_a_stand_in_that_did_not_run_is_asked_again(machine: Machine) -> None:
    machine("bin/node", "")
    assert interpreters.node("nodejs22.x") is None
    path = machine("bin/node", "22")
    assert interpreters.node("nodejs22.x") == Interpreter(str(path), (22,))
