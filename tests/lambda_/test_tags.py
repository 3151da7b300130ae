import pytest


def test_tags_are_added_changed_and_removed(api, create):
    arn = create(Tags={"a": "1", "b": "2"})["FunctionArn"]
    answer = api.tag_resource(Resource=arn, Tags={"b": "3", "c d": ""})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert api.list_tags(Resource=arn)["Tags"] == {"a": "1", "b": "3", "c d": ""}
    answer = api.untag_resource(Resource=arn, TagKeys=["a", "c d", "never there"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert api.list_tags(Resource=arn)["Tags"] == {"b": "3"}


def test_a_function_without_tags_has_an_empty_list(api, create):
    assert api.list_tags(Resource=create()["FunctionArn"])["Tags"] == {}


def test_a_function_has_50_tags_at_most(api, create, refused):
    arn = create(Tags={f"k{n}": "" for n in range(50)})["FunctionArn"]
    api.tag_resource(Resource=arn, Tags={"k7": "changed"})
    assert refused(api.tag_resource, Resource=arn, Tags={"one": "more"}) == (
        "InvalidParameterValueException",
        "Number of tags exceeds resource tag limit.",
    )


def test_no_tags_at_all_are_refused(api, create, refused):
    assert refused(api.tag_resource, Resource=create()["FunctionArn"], Tags={}) == (
        "InvalidParameterValueException",
        "An error occurred and the request cannot be processed.",
    )


def test_tags_change_the_revision_of_the_function(api, create):
    arn = create()["FunctionArn"]
    seen = [api.get_function_configuration(FunctionName="fn")["RevisionId"]]
    for change in (
        lambda: api.tag_resource(Resource=arn, Tags={"a": "b"}),
        lambda: api.untag_resource(Resource=arn, TagKeys=["a"]),
    ):
        change()
        seen.append(api.get_function_configuration(FunctionName="fn")["RevisionId"])
    assert len(set(seen)) == 3


@pytest.mark.parametrize("key", ["aws:cloudformation:stack-name", "AWS:x"])
def test_keys_of_aws_are_refused(api, create, refused, key):
    expected = (
        "InvalidParameterValueException",
        "aws: prefixed tag key names are not allowed for external use.",
    )
    assert refused(create, FunctionName="other", Tags={key: ""}) == expected
    assert refused(api.tag_resource, Resource=create()["FunctionArn"], Tags={key: ""}) == expected


@pytest.mark.parametrize("operation", ["list_tags", "tag_resource", "untag_resource"])
@pytest.mark.parametrize("qualifier", ["$LATEST", "1", "prod"])
def test_versions_and_aliases_have_no_tags(api, create, refused, operation, qualifier):
    params = {"Resource": f"{create()['FunctionArn']}:{qualifier}"}
    params |= {"tag_resource": {"Tags": {}}, "untag_resource": {"TagKeys": ["a"]}}.get(
        operation, {}
    )
    assert refused(getattr(api, operation), **params) == (
        "InvalidParameterValueException",
        "Tags on function aliases and versions are not supported. Please specify a function ARN.",
    )


def test_a_function_that_is_not_there_has_no_tags(api, refused, account):
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    expected = ("ResourceNotFoundException", f"Function not found: {arn}")
    assert refused(api.list_tags, Resource=arn) == expected
    assert refused(api.tag_resource, Resource=arn, Tags={"a": "b"}) == expected
    assert refused(api.untag_resource, Resource=arn, TagKeys=["a"]) == expected
