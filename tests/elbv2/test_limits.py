def test_quotas_are_described_with_awss_defaults(elb):
    limits = {each["Name"]: each["Max"] for each in elb.describe_account_limits()["Limits"]}
    assert limits["application-load-balancers"] == "50"
    assert limits["rules-per-application-load-balancer"] == "100"
    assert limits["target-groups"] == "3000"
    page = elb.describe_account_limits(PageSize=1)
    assert len(page["Limits"]) == 1
    assert page["NextMarker"]
