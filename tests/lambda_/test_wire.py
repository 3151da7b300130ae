from datetime import UTC, datetime

import pytest

from albatross.lambda_ import wire
from albatross.model.function import Directory, Function
from albatross.store.packages import Packages

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def test_code_that_is_run_where_it_lies_has_no_archive(tmp_path):
    function = Function(
        arn="arn:aws:lambda:us-east-1:123456789012:function:fn",
        name="fn",
        runtime="python3.12",
        handler="app.handler",
        role="arn:aws:iam::123456789012:role/any",
        code=Directory(path="/home/me/app dir"),
        last_modified=MOMENT,
        revision_id="r",
    )
    shown = wire.configuration(function, wire.SETTLED)
    assert (shown["CodeSha256"], shown["CodeSize"]) == ("", 0)
    assert wire.code_location(function, Packages(tmp_path)) == {
        "RepositoryType": "Directory",
        "Location": "file:///home/me/app%20dir",
    }


@pytest.mark.parametrize(
    ("microsecond", "shown"), [(0, "00.000"), (1_999, "00.001"), (999_999, "00.999")]
)
def test_times_are_written_in_milliseconds(microsecond, shown):
    moment = MOMENT.replace(microsecond=microsecond)
    assert wire.timestamp(moment) == f"2024-01-01T00:00:{shown}+0000"
