import pytest

OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]


def test_a_target_group_belongs_to_one_load_balancer(
    elb, refused, make_balancer, make_listener, make_rule, make_group, forward
):
    group = make_group()
    first, second = make_balancer("first"), make_balancer("second")
    listener = make_listener(first, 80, forward(group))
    make_rule(listener, 1, forward(group))
    make_listener(first, 81, forward(group))
    there = make_listener(second)
    rule = make_rule(there, 1)
    expected = (
        "TargetGroupAssociationLimit",
        "The following target groups cannot be associated with more than one load balancer: "
        f"{group}",
    )
    new = {"LoadBalancerArn": second, "Protocol": "HTTP", "Port": 81}
    condition = [{"Field": "path-pattern", "Values": ["/a"]}]
    for answer in (
        refused(elb.create_listener, **new, DefaultActions=forward(group)),
        refused(elb.modify_listener, ListenerArn=there, DefaultActions=forward(group)),
        refused(
            elb.create_rule,
            ListenerArn=there,
            Priority=2,
            Conditions=condition,
            Actions=forward(group),
        ),
        refused(elb.modify_rule, RuleArn=rule, Actions=forward(group)),
    ):
        assert answer == expected


def test_a_target_group_is_free_again_once_no_rule_forwards_to_it(
    elb, make_balancer, make_listener, make_group, forward
):
    group = make_group()
    listener = make_listener(make_balancer("first"), 80, forward(group))
    elb.modify_listener(ListenerArn=listener, DefaultActions=OK)
    make_listener(make_balancer("second"), 80, forward(group))


@pytest.mark.parametrize("remove", ["rule", "listener"])
def test_a_target_group_in_use_cannot_be_deleted(
    elb, refused, make_balancer, make_listener, make_rule, make_group, forward, remove
):
    group = make_group()
    listener = make_listener(make_balancer())
    rule = make_rule(listener, 1, forward(group))
    assert refused(elb.delete_target_group, TargetGroupArn=group) == (
        "ResourceInUse",
        f"Target group '{group}' is currently in use by a listener or a rule",
    )
    if remove == "rule":
        elb.delete_rule(RuleArn=rule)
    else:
        elb.delete_listener(ListenerArn=listener)
    elb.delete_target_group(TargetGroupArn=group)
    assert elb.describe_target_groups()["TargetGroups"] == []


def test_targets_are_sticky_among_several_groups_only_where_the_groups_are(
    elb, refused, make_balancer, make_listener, make_rule, make_group
):
    server = {"TargetType": "ip", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1"}
    group = elb.create_target_group(Name="ip", **server)["TargetGroups"][0]["TargetGroupArn"]
    tuples = [{"TargetGroupArn": arn, "Weight": 1} for arn in (group, make_group())]

    def actions(*, sticky):
        stickiness = {"Enabled": sticky, "DurationSeconds": 60}
        config = {"TargetGroups": tuples, "TargetGroupStickinessConfig": stickiness}
        return [{"Type": "forward", "ForwardConfig": config}]

    def stick(value):
        attribute = {"Key": "stickiness.enabled", "Value": value}
        return elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])

    rule = make_rule(make_listener(make_balancer()), 1, actions(sticky=False))
    assert refused(stick, value="true") == (
        "InvalidConfigurationRequest",
        f"This target group appears behind a rule with group stickiness disabled ({rule}). "
        "You must enable group stickiness before enabling target stickiness",
    )
    elb.modify_rule(RuleArn=rule, Actions=actions(sticky=True))
    stick("true")
    assert refused(elb.modify_rule, RuleArn=rule, Actions=actions(sticky=False)) == (
        "InvalidLoadBalancerAction",
        "You must enable group stickiness on a rule if you enabled target stickiness on one of "
        "its target groups",
    )
    elb.modify_rule(RuleArn=rule, Actions=[{"Type": "forward", "TargetGroupArn": group}])
