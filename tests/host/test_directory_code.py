"""Functions whose code is a directory: what changes there counts for the next request."""

import json
import os
import py_compile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from albatross.host import reload
from albatross.host.sources import Sources
from albatross.model.function import Directory
from tests.support.host import RunningHost, make_function, running_host


@pytest.fixture(scope="module")
def host() -> Iterator[RunningHost]:
    with running_host() as host:
        yield host


@pytest.fixture
def directory(host: RunningHost, tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "app.py").write_text(answering("one"))
    host.put(make_function("live", Directory(path=str(tmp_path))))
    yield tmp_path
    del host.functions["live"], host.groups["live"]
    host.apply()


def answering(text: str) -> str:
    return f"def handler(event, context):\n    return {{'statusCode': 200, 'body': '{text}'}}\n"


def test_the_next_request_after_a_change_runs_the_new_code(
    host: RunningHost, directory: Path
) -> None:
    assert host.request("live").body == b"one"
    for text in ("two", "six", "ten"):  # of the same length, within the same second
        (directory / "app.py").write_text(answering(text))
        assert host.request("live").body == text.encode()


def test_no_request_is_answered_by_half_a_file(host: RunningHost, directory: Path) -> None:
    assert host.request("live").body == b"one"
    stop = threading.Event()
    answers: list[tuple[int, bytes]] = []

    def load() -> None:
        while not stop.is_set():
            answer = host.request("live")
            answers.append((answer.status, answer.body))

    thread = threading.Thread(target=load)
    thread.start()
    for text in ("two", "three"):
        whole = answering(text)
        with (directory / "app.py").open("w") as file:
            for half in (whole[: len(whole) // 2], whole[len(whole) // 2 :]):
                file.write(half)
                file.flush()
                time.sleep(reload.SETTLE_S / 2)
        assert host.request("live").body == text.encode()
    stop.set()
    thread.join()
    assert {status for status, _ in answers} == {200}
    assert {body for _, body in answers} <= {b"one", b"two", b"three"}


def test_an_import_error_answers_502_until_it_is_mended(host: RunningHost, directory: Path) -> None:
    (directory / "app.py").write_text("import nowhere\n")
    assert host.request("live").status == 502
    assert host.request("live").status == 502
    (directory / "app.py").write_text(answering("mended"))
    assert host.request("live").body == b"mended"


def test_a_module_beside_the_handler_counts_and_no_byte_code_is_left(
    host: RunningHost, directory: Path
) -> None:
    (directory / "other.py").write_text("TEXT = 'a'\n")
    (directory / "app.py").write_text(
        "import other\ndef handler(e, c):\n    return {'statusCode': 200, 'body': other.TEXT}\n"
    )
    assert host.request("live").body == b"a"
    (directory / "other.py").write_text("TEXT = 'b'\n")
    assert host.request("live").body == b"b"
    assert not (directory / "__pycache__").exists()


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        pytest.param("albatross-0a1b2c3d", False, id="a run directory, where code lies in /tmp"),
        pytest.param("node_modules", False, id="what is installed"),
        pytest.param("albatross-example", True, id="a directory of the user's"),
    ],
)
def test_only_files_of_the_users_count(tmp_path: Path, name: str, counts: bool) -> None:
    (tmp_path / name).mkdir()
    sources = Sources(tmp_path, time.monotonic)
    (tmp_path / name / "processes.json").write_text("{}")
    assert sources.changed(now=True) is counts


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        pytest.param("query.sql", True, id="what code reads when it is loaded"),
        pytest.param(".env", True, id="variables"),
        pytest.param("requirements.txt", True, id="dependencies"),
        pytest.param("visits.txt", False, id="what a function may write as it works"),
        pytest.param(".git", False, id="hidden"),
    ],
)
def test_kinds_of_files_that_count(tmp_path: Path, name: str, counts: bool) -> None:
    sources = Sources(tmp_path, time.monotonic)
    (tmp_path / name).write_text("new")
    assert sources.changed(now=True) is counts


def test_files_behind_links_count_and_links_that_lead_round_are_looked_at_once(
    tmp_path: Path,
) -> None:
    project, shared = tmp_path / "project", tmp_path / "shared"
    project.mkdir()
    (shared / "deep").mkdir(parents=True)
    (project / "shared").symlink_to(shared)
    (shared / "deep" / "round").symlink_to(project)
    sources = Sources(project, time.monotonic)
    (shared / "deep" / "module.py").write_text("WORD = 'new'")
    assert sources.changed(now=True)


def test_code_in_tmp_may_be_named_by_a_link(host: RunningHost) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        code, link, middle = (Path(folder, name) for name in ("code", "link", "middle"))
        code.mkdir()
        (code / "app.py").write_text(answering("one"))
        middle.symlink_to(code)
        link.symlink_to("middle")
        host.put(make_function("linked", Directory(path=str(link))))
        assert host.request("linked").body == b"one"
        (code / "app.py").write_text(answering("two"))
        assert host.request("linked").body == b"two"


@pytest.mark.parametrize("transport", ["channel", "http"])
def test_byte_code_of_an_earlier_second_is_not_trusted(tmp_path: Path, transport: str) -> None:
    tmp_path.chmod(0o755)
    module = tmp_path / "pkg" / "said.py"
    module.parent.mkdir()
    (tmp_path / "app.py").write_text(
        "import json\nfrom pkg.said import WORD\ndef handler(*_):\n    return WORD, json.__cached__"
    )
    module.write_text("WORD = 'old'")
    py_compile.compile(str(module))
    made = module.stat()
    module.write_text("WORD = 'new'")
    os.utime(module, (made.st_atime, made.st_mtime))
    before = sorted(tmp_path.rglob("*"))
    with running_host(runtime_transport=transport) as host:
        host.put(make_function("edited", Directory(path=str(tmp_path))))
        word, cached = json.loads(host.invoke("edited").payload)
    assert word == "new"
    assert sorted(tmp_path.rglob("*")) == before
    if transport == "channel":
        assert Path(cached).exists()  # that of the standard library is
