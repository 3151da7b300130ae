"""What a server takes before it becomes the supervisor."""

import resource
import subprocess
import sys

import pytest

SHOW = """
import resource, sys
hard = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
from albatross.launch import raise_open_files
raise_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("hard", "soft"), [(5_000, 5_000), (512, 512), (2**21, 2**20)])
def test_a_server_may_open_as_many_files_as_its_user_may(hard, soft):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most not in (resource.RLIM_INFINITY, -1) and hard > most:
        pytest.skip(f"this user may open {most} files")
    done = subprocess.run(
        [sys.executable, "-c", SHOW, str(hard)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(soft), str(hard)]
