"""Event source mappings: there are none, and who asks is told so."""

import pytest

UUID = "d2c1b0a0-0000-4000-8000-000000000000"


def test_there_are_none(api, create):
    create("fn")
    assert api.list_event_source_mappings()["EventSourceMappings"] == []
    assert api.list_event_source_mappings(FunctionName="fn")["EventSourceMappings"] == []


def test_of_a_function_that_is_not_there_none_are_listed(api, refused, account):
    assert refused(api.list_event_source_mappings, FunctionName="fn") == (
        "ResourceNotFoundException",
        f"Function not found: arn:aws:lambda:us-east-1:{account}:function:fn",
    )


@pytest.mark.parametrize("operation", ["get", "delete"])
def test_each_one_is_missing(api, refused, operation):
    assert refused(getattr(api, f"{operation}_event_source_mapping"), UUID=UUID) == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
