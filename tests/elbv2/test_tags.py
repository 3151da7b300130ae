import pytest

OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]


def tag(**tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.fixture
def tags_of(elb):
    def tags_of(*arns):
        found = elb.describe_tags(ResourceArns=list(arns))["TagDescriptions"]
        assert [each["ResourceArn"] for each in found] == list(arns)
        return [{pair["Key"]: pair["Value"] for pair in each["Tags"]} for each in found]

    return tags_of


def test_every_kind_of_resource_is_tagged_when_created(elb, tags_of, make_balancer, make_group):
    balancer = make_balancer(Tags=tag(kind="lb"))
    group = make_group(Tags=tag(kind="tg"))
    (listener,) = elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=OK,
        Tags=tag(kind="listener"),
    )["Listeners"]
    (rule,) = elb.create_rule(
        ListenerArn=listener["ListenerArn"],
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/a"]}],
        Actions=OK,
        Tags=tag(kind="rule"),
    )["Rules"]
    found = tags_of(group, balancer, listener["ListenerArn"], rule["RuleArn"])
    assert [tags["kind"] for tags in found] == ["tg", "lb", "listener", "rule"]


def test_tags_are_added_replaced_and_removed(elb, tags_of, make_group):
    one, two = make_group("one"), make_group("two")
    elb.add_tags(ResourceArns=[one, two], Tags=[{"Key": "a"}, *tag(b="1")])
    elb.add_tags(ResourceArns=[one], Tags=tag(b="2", c="ü x"))
    assert tags_of(one, two) == [{"a": "", "b": "2", "c": "ü x"}, {"a": "", "b": "1"}]
    elb.remove_tags(ResourceArns=[one, two], TagKeys=["b", "never there"])
    assert tags_of(one, two) == [{"a": "", "c": "ü x"}, {"a": ""}]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        pytest.param([*tag(a="1"), *tag(a="2")], "DuplicateTagKeys", id="key twice"),
        pytest.param(tag(**{"aws:a": "1"}), "ValidationError", id="reserved prefix"),
        pytest.param(tag(**{"a" * 129: "1"}), "ValidationError", id="long key"),
        pytest.param(tag(a="b" * 257), "ValidationError", id="long value"),
        pytest.param(tag(a="<>"), "ValidationError", id="characters"),
        pytest.param([], "ValidationError", id="none"),
    ],
)
def test_bad_tags_are_refused(elb, refused, tags_of, make_group, tags, code):
    group = make_group()
    assert refused(elb.add_tags, ResourceArns=[group], Tags=tags)[0] == code
    assert tags_of(group) == [{}]


def test_one_missing_resource_fails_the_call(elb, refused, tags_of, make_group):
    group = make_group()
    gone = group[:-16] + "0" * 16
    code, _ = refused(elb.add_tags, ResourceArns=[group, gone], Tags=tag(a="1"))
    assert code == "TargetGroupNotFound"
    assert tags_of(group) == [{}]
    assert refused(elb.describe_tags, ResourceArns=["x"]) == (
        "ValidationError",
        "'x' is not a valid resource ARN",
    )
    assert refused(elb.describe_tags, ResourceArns=[group] * 21)[0] == "ValidationError"


def test_tags_go_with_their_resource(elb, refused, make_group):
    group = make_group(Tags=tag(a="1"))
    elb.delete_target_group(TargetGroupArn=group)
    assert refused(elb.describe_tags, ResourceArns=[group])[0] == "TargetGroupNotFound"
