"""The life of an execution environment, row by row, and what its log tells of it.

Sources: Lambda guide, "Understanding the Lambda execution environment lifecycle"; "Runtimes".
"""

import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.support.command import until, zipped
from tests.support.invoking import SOURCE, Invoked, invoke, logged, run
from tests.support.node import NODE
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(60)

# Its init phase takes as long as its /tmp says, and lasts until the time that its variable says.
SLOW = """
import json, os, time
if os.path.exists("/tmp/slow"):
    time.sleep(float(open("/tmp/slow").read()))
time.sleep(max(float(os.environ.get("UNTIL", "0")) - time.time(), 0))

def handler(event, context):
    if "slow" in event:
        open("/tmp/slow", "w").write(event["slow"])
        os._exit(1)
    return context.get_remaining_time_in_millis()
"""
# From the function's making on: that leaves six seconds, on a busy machine, until it is started.
OVERDUE_S = 16
ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
MS = r"\d+\.\d\d ms"
REPORT = rf"Duration: {MS}\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\t"


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture(scope="module", autouse=True)
def overdue(traffic: Stack, pool: ThreadPoolExecutor) -> dict[str, tuple[str, Future[Invoked]]]:
    """Functions whose init phase takes over 10 s: these invocations run beside the other tests."""
    found = {}
    for kind, init_s, timeout_s in (("in time", OVERDUE_S, 30), ("too late", 60, 1)):
        variables = {"Variables": {"UNTIL": str(time.time() + init_s)}}
        arn = traffic.make(SLOW, Timeout=timeout_s, Environment=variables)
        found[kind] = arn, pool.submit(invoke, traffic, arn, {})
    return found


@pytest.fixture(scope="module", autouse=True)
def ahead(traffic: Stack, overdue: object) -> dict[str, str]:
    """Provisioned concurrency of a function whose init phase takes over 10 s."""
    variables = {"Variables": {"UNTIL": str(time.time() + OVERDUE_S)}}
    arn = traffic.make(SLOW, Timeout=1, Environment=variables)
    version = traffic.functions.publish_version(FunctionName=arn)["Version"]
    named = {"FunctionName": arn, "Qualifier": version}
    traffic.functions.put_provisioned_concurrency_config(**named, ProvisionedConcurrentExecutions=1)
    return named


RESET = f"import time; time.sleep(0.5)\n{SOURCE}"
WRITE = "open('/tmp/kept', 'w').write('x'); kept['mine'] = 1; "


@pytest.fixture(scope="module", autouse=True)
def timed_out(traffic: Stack, pool: ThreadPoolExecutor) -> tuple[str, Future[Invoked]]:
    """A function whose first invocation takes too long, and that invocation."""
    arn = traffic.make(RESET, Timeout=9)
    return arn, pool.submit(run, traffic, arn, WRITE + "time.sleep(30)")


@pytest.fixture(scope="module", autouse=True)
def slow_again(traffic: Stack, pool: ThreadPoolExecutor) -> Future[list[Invoked]]:
    """Invocations after resets: whose init phase takes a second, and longer than the timeout."""
    arn = traffic.make(SLOW, Timeout=9)
    events = ({"slow": "1"}, {}, {"slow": "60"}, {})
    return pool.submit(lambda: [invoke(traffic, arn, event) for event in events])


@pytest.fixture(scope="module")
def function(traffic: Stack) -> str:
    return traffic.make(SOURCE, Timeout=20)


def log_of(traffic: Stack, arn: str, needed: str = "REPORT") -> list[str]:
    return logged(traffic, f"/aws/lambda/{arn.rpartition(':')[2]}", needed)


def ms(text: str) -> float:
    return float(text.removesuffix(" ms"))


# Init


def test_init_runs_static_code_ends_at_first_next_init_duration_only_on_cold_start(
    traffic: Stack,
) -> None:
    arn = traffic.make(f"import time; time.sleep(0.3)\n{SOURCE}")
    cold, warm = run(traffic, arn, "result = 1"), run(traffic, arn, "result = 2")
    assert ms(cold.report["Init Duration"]) >= 300
    assert ms(cold.report["Duration"]) < 300
    assert "Init Duration" not in warm.report


def test_a_log_is_init_start_start_end_and_report(traffic: Stack) -> None:
    arn = traffic.make(SOURCE)
    invoked = run(traffic, arn, "print('hello'); print('oops', file=sys.stderr)")
    init, start, hello, oops, end, report = log_of(traffic, arn)
    assert re.fullmatch(
        r"INIT_START Runtime Version: python:3\.\d+\.v\d+\t"
        r"Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}\n",
        init,
    )
    assert start == f"START RequestId: {invoked.request_id} Version: $LATEST\n"
    assert (hello, oops) == ("hello\n", "oops\n")
    assert end == f"END RequestId: {invoked.request_id}\n"
    expected = rf"REPORT RequestId: {invoked.request_id}\t{REPORT}Init Duration: {MS}\t\n"
    assert re.fullmatch(expected, report)
    assert invoked.log == start + hello + oops + end + report


def test_a_log_in_json_has_the_same_as_events(traffic: Stack) -> None:
    arn = traffic.make(SOURCE, LoggingConfig={"LogFormat": "JSON"})
    code = "import logging; logging.getLogger().error('bad'); print('plain')"
    invoked = run(traffic, arn, code)
    texts = log_of(traffic, arn, "platform.report")
    assert "plain\n" in texts
    events = [json.loads(text) for text in texts if text.startswith("{")]
    bad = next(event for event in events if event.get("message") == "bad")
    assert (bad["level"], bad["requestId"]) == ("ERROR", invoked.request_id)
    platform = {event["type"]: event["record"] for event in events if "type" in event}
    assert list(platform) == ["platform.initStart", "platform.start", "platform.report"]
    assert platform["platform.initStart"]["phase"] == "init"
    started = {"requestId": invoked.request_id, "version": "$LATEST"}
    assert platform["platform.start"] == started
    report = platform["platform.report"]
    assert (report["requestId"], report["status"]) == (invoked.request_id, "success")
    assert report["metrics"].keys() == {
        *("durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs")
    }


# Invoke


def test_invoke_function_timeout_default_3_covers_the_runtime(
    traffic: Stack, pool: ThreadPoolExecutor
) -> None:
    default = traffic.make(SOURCE)
    run(traffic, default, "result = 1")
    left = run(traffic, default, "result = context.get_remaining_time_in_millis()").result
    assert 2000 < left <= 3000
    short = traffic.make(SOURCE, Timeout=1)
    run(traffic, short, "result = 1")
    began = time.monotonic()
    invoked = run(traffic, short, "time.sleep(9)")
    assert 1 <= time.monotonic() - began < 9
    assert invoked.failure["errorType"] == "Sandbox.Timedout"
    assert 1000 <= ms(invoked.report["Duration"]) < 3000
    assert invoked.report["Status"] == "timeout"


@pytest.mark.parametrize("how", ["crash", "timeout"])
def test_failure_in_invoke_environment_reset_next_invoke_re_inits_tmp_is_kept(
    traffic: Stack, timed_out: tuple[str, Future[Invoked]], how: str
) -> None:
    if how == "timeout":
        arn, first = timed_out[0], timed_out[1].result(60)
    else:
        arn = traffic.make(RESET, Timeout=9)
        first = run(traffic, arn, WRITE + "os._exit(1)")
    assert first.error == "Unhandled"
    again = run(traffic, arn, "result = [open('/tmp/kept').read(), kept]")
    assert again.result == ["x", {}]
    assert "Init Duration" not in again.report  # a suppressed init
    assert ms(again.report["Duration"]) >= 500  # counts in the duration
    assert ms(run(traffic, arn, "result = 1").report["Duration"]) < 500


def test_failure_in_invoke_oom_is_an_exit_by_signal_killed(traffic: Stack) -> None:
    arn = traffic.make(SOURCE, Timeout=10)
    code = "x = bytearray(os.urandom(1 << 20)) * 400; time.sleep(5)"
    invoked = run(traffic, arn, code)
    assert invoked.failure == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {invoked.request_id} "
        "Error: Runtime exited with error: signal: killed",
    }
    assert invoked.report["Error Type"] == "Runtime.OutOfMemory"
    assert invoked.report["Max Memory Used"] == invoked.report["Memory Size"] == "128 MB"


def test_failure_in_invoke_oom_is_seen_however_soon_the_function_answers(traffic: Stack) -> None:
    arn = traffic.make(SOURCE, Timeout=10)
    invoked = run(traffic, arn, "x = b'x' * (200 << 20); del x; result = 1")
    assert invoked.failure["errorType"] == "Runtime.ExitError"
    assert invoked.failure["errorMessage"].endswith("signal: killed")
    assert invoked.report["Error Type"] == "Runtime.OutOfMemory"
    assert invoked.report["Max Memory Used"] == "128 MB"
    assert run(traffic, arn, "result = len(b'x' * (60 << 20))").result == 60 << 20


def test_max_memory_used_is_that_of_a_long_invocation(traffic: Stack, function: str) -> None:
    small = run(traffic, function, "result = 1").report["Max Memory Used"]
    grown = run(traffic, function, "x = b'x' * (60 << 20); time.sleep(0.05)")
    assert int(grown.report["Max Memory Used"].split()[0]) >= int(small.split()[0]) + 50


def test_handler_error_environment_is_reused_no_reset(traffic: Stack, function: str) -> None:
    pid = run(traffic, function, "kept['error'] = 1; result = os.getpid()").result
    failed = run(traffic, function, "raise KeyError('no')")
    assert failed.failure["errorType"] == "KeyError"
    assert failed.failure["errorMessage"] == "'no'"
    assert failed.failure["requestId"] == failed.request_id
    assert "[ERROR] KeyError: 'no'\nTraceback (most recent call last):\n" in failed.log
    assert "Status" not in failed.report
    assert run(traffic, function, "result = [kept['error'], os.getpid()]").result == [1, pid]


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("import nowhere", "Runtime.ImportModuleError", "No module named 'nowhere'"),
        ("def handler(", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("import os; os._exit(7)", "Runtime.ExitError", "exit status 7"),
    ],
)
def test_init_error_or_exit_fails_the_invoke_that_triggered_it_retried_at_next_invoke(
    traffic: Stack, source: str, kind: str, text: str
) -> None:
    arn = traffic.make(f"print('begun', flush=True)\n{source}\n")
    for _ in range(2):
        invoked = invoke(traffic, arn, {})
        assert invoked.failure["errorType"] == kind
        assert text in invoked.failure["errorMessage"]
    tail = rf"INIT_REPORT Init Duration: {MS}\tPhase: init\tStatus: error\tError Type: {kind}\n"
    assert re.search(
        rf"{tail}START RequestId: {invoked.request_id} Version: \$LATEST\n"
        rf"END RequestId: {invoked.request_id}\n"
        rf"REPORT RequestId: {invoked.request_id}\t{REPORT}Status: error\tError Type: {kind}\t\n$",
        invoked.log,
    )
    code = zipped("def handler(event, context): return 'mended'")
    traffic.functions.update_function_code(FunctionName=arn, ZipFile=code)
    assert invoke(traffic, arn, {}).result == "mended"


def test_init_after_a_reset_is_within_the_function_timeout(
    slow_again: Future[list[Invoked]],
) -> None:
    crashed, second, again, late = slow_again.result(60)
    assert crashed.error == again.error == "Unhandled"
    assert second.result <= 8000
    assert late.failure["errorType"] == "Sandbox.Timedout"
    report = rf"INIT_REPORT Init Duration: {MS}\tPhase: invoke\tStatus: timeout\n"
    assert re.search(report, late.log)
    told = rf"Z {late.request_id} Task timed out after 9.00 seconds\nEND RequestId: "
    assert re.search(told, late.log)


@pytest.mark.skipif(NODE is None, reason="node is not on the PATH")
def test_node_handler_error_keeps_the_environment_an_exit_resets_it(traffic: Stack) -> None:
    source = """
    let calls = 0;
    exports.handler = async ({ what }) => {
      calls += 1;
      if (what === "throw") throw new TypeError("no");
      if (what === "exit") process.exit(3);
      return calls;
    };
    """
    code = {"ZipFile": zipped(source, "app.js")}
    arn = traffic.make("", Runtime="nodejs20.x", Code=code, Timeout=10)
    assert invoke(traffic, arn, {}).result == 1
    failure = invoke(traffic, arn, {"what": "throw"}).failure
    assert (failure["errorType"], failure["errorMessage"]) == ("TypeError", "no")
    assert failure["trace"][0] == "TypeError: no"
    assert invoke(traffic, arn, {}).result == 3
    exited = invoke(traffic, arn, {"what": "exit"})
    assert exited.failure == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {exited.request_id} "
        "Error: Runtime exited with error: exit status 3",
    }
    again = invoke(traffic, arn, {})
    assert (again.result, "Init Duration" in again.report) == (1, False)


# Between invocations


def test_reuse_globals_tmp_and_connections_survive_one_request_at_a_time(
    traffic: Stack, function: str, pool: ThreadPoolExecutor
) -> None:
    code = "import socket; kept['sockets'] = socket.socketpair(); open('/tmp/mine', 'w').close()"
    pid = run(traffic, function, f"{code}; result = os.getpid()").result
    code = "a, b = kept['sockets']; a.send(b'x'); result = [b.recv(1).decode(), os.getpid()]"
    assert run(traffic, function, code).result == ["x", pid]
    assert "mine" in run(traffic, function, "result = os.listdir('/tmp')").result
    code = "began = time.time(); time.sleep(0.4); result = [os.getpid(), began, time.time()]"
    spans = [each.result for each in pool.map(lambda _: run(traffic, function, code), range(3))]
    for one in spans:
        for other in spans:
            assert one is other or one[0] != other[0] or one[1] > other[2] or other[1] > one[2]


def test_order_cold_start_when_no_idle_environment(
    traffic: Stack, pool: ThreadPoolExecutor
) -> None:
    arn = traffic.make(SOURCE, Timeout=30)
    assert "Init Duration" in run(traffic, arn, "result = 1").report
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        code = f"import socket; socket.create_connection({place}).recv(1); result = os.getpid()"
        calls = [pool.submit(run, traffic, arn, code) for _ in range(2)]
        for connection in [server.accept()[0] for _ in calls]:  # both run
            connection.close()
    both = [call.result() for call in calls]
    assert len({each.result for each in both}) == 2
    assert sorted("Init Duration" in each.report for each in both) == [False, True]


def test_freeze_between_invokes_background_work_goes_on_unless_the_setting_freeze(
    traffic: Stack, function: str
) -> None:
    code = """
import threading
def count():
    while True:
        kept["ticks"] = kept.get("ticks", 0) + 1
        time.sleep(0.01)
threading.Thread(target=count, daemon=True).start()
"""
    run(traffic, function, code)
    first = run(traffic, function, "result = kept['ticks']").result
    time.sleep(0.5)
    assert run(traffic, function, "result = kept['ticks']").result >= first + 5


# Init over 10 s


def test_init_limit_10_s_exceeded_is_re_run_inside_the_first_invoke(
    traffic: Stack, overdue: dict[str, tuple[str, Future[Invoked]]]
) -> None:
    arn, future = overdue["in time"]
    invoked = future.result(60)
    assert "Init Duration" not in invoked.report
    spent_ms = ms(invoked.report["Duration"])
    assert 100 < spent_ms < 10_000
    assert invoked.result <= 30_000 - spent_ms + 100  # of the function's 30 s
    assert any(
        re.fullmatch(
            r"INIT_REPORT Init Duration: 10\d\d\d\.\d\d ms\tPhase: init\tStatus: timeout\n", e
        )
        for e in log_of(traffic, arn)
    )


def test_init_re_run_is_under_the_function_timeout(
    overdue: dict[str, tuple[str, Future[Invoked]]],
) -> None:
    invoked = overdue["too late"][1].result(60)
    assert invoked.failure == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {invoked.request_id} Error: Task timed out after 1.00 seconds",
    }
    assert "Phase: invoke\tStatus: timeout\n" in invoked.log
    assert invoked.report["Status"] == "timeout"


def test_the_10_s_do_not_apply_to_provisioned_concurrency_which_emits_init_report(
    traffic: Stack, ahead: dict[str, str]
) -> None:
    show = traffic.functions.get_provisioned_concurrency_config
    until(lambda: show(**ahead)["Status"] == "READY")
    assert invoke(traffic, ahead["FunctionName"], {}, Qualifier=ahead["Qualifier"]).result <= 1000
    began, report, *_ = log_of(traffic, ahead["FunctionName"])
    assert began.startswith("INIT_START ")
    assert re.fullmatch(r"INIT_REPORT Init Duration: 1\d{4}\.\d\d ms\n", report)


def test_init_in_json_has_the_levels_of_its_events(traffic: Stack) -> None:
    kinds = {}
    for level in ("DEBUG", "INFO"):
        config = {"LogFormat": "JSON", "SystemLogLevel": level}
        arn = traffic.make(SOURCE, LoggingConfig=config)
        run(traffic, arn, "")
        texts = log_of(traffic, arn, "platform.report")
        kinds[level] = [json.loads(each)["type"].removeprefix("platform.") for each in texts]
    assert kinds == {
        "DEBUG": ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"],
        "INFO": ["initStart", "start", "report"],
    }
