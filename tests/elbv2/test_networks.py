"""Subnets, security groups, address types and IPAM pools of load balancers, as AWS takes them."""


def zones(answer):
    return {zone["SubnetId"]: zone["ZoneName"][-1] for zone in answer["AvailabilityZones"]}


def test_a_subnet_stays_in_its_zone(elb, make_balancer):
    arn = make_balancer(Subnets=["subnet-1", "subnet-2"])
    changed = elb.set_subnets(LoadBalancerArn=arn, Subnets=["subnet-3", "subnet-2", "subnet-4"])
    assert zones(changed) == {"subnet-3": "a", "subnet-2": "b", "subnet-4": "c"}
    mappings = [{"SubnetId": subnet} for subnet in ("subnet-2", "subnet-4")]
    changed = elb.set_subnets(LoadBalancerArn=arn, SubnetMappings=mappings)
    assert zones(changed) == {"subnet-2": "b", "subnet-4": "c"}
    (described,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert zones(described) == zones(changed)


def test_a_type_of_addresses_is_kept_and_set_with_subnets_too(elb, make_balancer):
    arn = make_balancer(IpAddressType="dualstack")
    changed = elb.set_subnets(LoadBalancerArn=arn, Subnets=["subnet-1", "subnet-2"])
    assert changed["IpAddressType"] == "dualstack"
    for chosen in ("dualstack-without-public-ipv4", "ipv4"):
        answer = elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType=chosen)
        assert answer["IpAddressType"] == chosen
    changed = elb.set_subnets(
        LoadBalancerArn=arn, Subnets=["subnet-1", "subnet-2"], IpAddressType="dualstack"
    )
    assert changed["IpAddressType"] == "dualstack"


def test_an_internal_load_balancer_may_be_dualstack(elb, make_balancer):
    arn = make_balancer(Scheme="internal", IpAddressType="dualstack")
    (described,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert described["IpAddressType"] == "dualstack"


def test_what_asks_for_nothing_of_other_types_is_taken(elb, make_balancer):
    arn = make_balancer(EnablePrefixForIpv6SourceNat="off")
    subnets = ["subnet-1", "subnet-2"]
    elb.set_subnets(LoadBalancerArn=arn, Subnets=subnets, EnablePrefixForIpv6SourceNat="off")


def test_a_security_group_counts_once(elb, make_balancer):
    arn = make_balancer(SecurityGroups=["sg-1", "sg-1", "sg-2"])
    (described,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert described["SecurityGroups"] == ["sg-1", "sg-2"]


def test_an_ipam_pool_is_chosen_replaced_and_removed(elb, refused, make_balancer):
    def described():
        (found,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        return found.get("IpamPools")

    pools = [{"Ipv4IpamPoolId": f"ipam-pool-{number}"} for number in (1, 2)]
    arn = make_balancer(IpamPools=pools[0])
    assert described() == pools[0]
    assert make_balancer(IpamPools=pools[0]) == arn
    code, _ = refused(elb.create_load_balancer, Name="lb", Subnets=["subnet-aaa1", "subnet-bbb2"])
    assert code == "DuplicateLoadBalancerName"
    assert elb.modify_ip_pools(LoadBalancerArn=arn, IpamPools=pools[1])["IpamPools"] == pools[1]
    assert described() == pools[1]
    assert elb.modify_ip_pools(LoadBalancerArn=arn, RemoveIpamPools=["ipv4"])["IpamPools"] == {}
    assert described() is None


def test_a_group_of_ipv6_needs_a_load_balancer_that_has_ipv6(
    elb, refused, make_balancer, make_listener, forward
):
    group = elb.create_target_group(
        Name="six",
        Protocol="HTTP",
        Port=80,
        VpcId="vpc-1",
        TargetType="ip",
        IpAddressType="ipv6",
    )["TargetGroups"][0]["TargetGroupArn"]
    arn = make_balancer()
    expected = (
        "InvalidConfigurationRequest",
        f"Target group '{group}' with IP address type 'ipv6' cannot be used with a load balancer "
        "with IP address type 'ipv4'",
    )
    assert refused(lambda: make_listener(arn, 80, forward(group))) == expected
    elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="dualstack")
    make_listener(arn, 80, forward(group))
    set_type = elb.set_ip_address_type
    assert refused(set_type, LoadBalancerArn=arn, IpAddressType="ipv4") == expected
    subnets = ["subnet-1", "subnet-2"]
    assert (
        refused(elb.set_subnets, LoadBalancerArn=arn, Subnets=subnets, IpAddressType="ipv4")
        == expected
    )
