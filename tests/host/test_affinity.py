"""The host keeps to a core of its own where there are two; functions go where there is room."""

import json
import os
import sys

import pytest

from tests.support.host import running_host

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux scheduler")

SOURCE = "import os\n\n\ndef handler(event, context):\n    return sorted(os.sched_getaffinity(0))\n"


def test_functions_may_use_every_core_and_the_host_has_one_of_two() -> None:
    cores = sorted(os.sched_getaffinity(0))
    with running_host() as host:
        host.deploy("cores", SOURCE)
        assert json.loads(host.invoke("cores").payload) == cores
        expected = cores[1:] if len(cores) == 2 else cores
        assert sorted(os.sched_getaffinity(host.process.pid)) == expected
