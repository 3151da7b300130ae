import pytest

from albatross.model.remote import Remote, parse

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"
HERE = {"endpoint": "http://127.0.0.1:4566"}


@pytest.mark.parametrize(
    ("pattern", "arn", "is_there"),
    [
        pytest.param(f"{ARN}orders", f"{ARN}orders", True, id="the ARN itself"),
        pytest.param(f"{ARN}orders", f"{ARN}orders:prod", True, id="an alias of it"),
        pytest.param(f"{ARN}orders", f"{ARN}orders2", False, id="a longer name"),
        pytest.param(f"{ARN}orders:prod", f"{ARN}orders", False, id="not the alias"),
        pytest.param(f"{ARN}*", f"{ARN}any:$LATEST", True, id="any function"),
        pytest.param(f"{ARN}?rders", f"{ARN}orders", True, id="one letter"),
        pytest.param(f"{ARN}o.ders", f"{ARN}orders", None, id="a dot is no letter"),
        pytest.param(
            "arn:aws:lambda:*:123456789012:function:*", f"{ARN}any", True, id="any Region"
        ),
        pytest.param(f"{ARN}*", ARN.replace("eu-west-1", "eu-west-2") + "any", False, id="Region"),
    ],
)
def test_a_pattern_says_which_functions_are_elsewhere(pattern, arn, is_there):
    if is_there is None:
        with pytest.raises(ValueError, match="is not the ARN of a function"):
            parse({pattern: HERE})
    else:
        assert (parse({pattern: HERE}).find(arn) is not None) == is_there


def test_the_first_pattern_that_matches_counts():
    remotes = parse({f"{ARN}orders": "http://127.0.0.1:1", f"{ARN}*": "http://127.0.0.1:2"})
    assert remotes.find(f"{ARN}orders").endpoint == "http://127.0.0.1:1"
    assert remotes.find(f"{ARN}others").endpoint == "http://127.0.0.1:2"


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-west-1", "https://lambda.eu-west-1.amazonaws.com"),
        ("cn-north-1", "https://lambda.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_endpoint_of_aws_is_that_of_the_region(region, url):
    assert Remote(pattern="*", endpoint="aws", profile="any").url(region) == url


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        pytest.param([], "must be a table of patterns", id="no table"),
        pytest.param({"orders": HERE}, "is not the ARN of a function", id="a name"),
        pytest.param({f"{ARN}*": 1}, "takes credentials, endpoint, name", id="no text"),
        pytest.param(
            {f"{ARN}*": {**HERE, "secret": "x"}}, "takes credentials", id="unknown member"
        ),
        pytest.param({f"{ARN}*": {**HERE, "name": 1}}, "all values are text", id="a number"),
        pytest.param({f"{ARN}*": {}}, "endpoint must be 'aws' or a URL", id="no endpoint"),
        pytest.param(
            {f"{ARN}*": "ftp://a"}, "endpoint must be 'aws' or a URL", id="another scheme"
        ),
        pytest.param({f"{ARN}*": "http://a/path"}, "endpoint must be", id="a path"),
        pytest.param({f"{ARN}*": "aws"}, "AWS wants to know who calls", id="AWS without a key"),
        pytest.param(
            {f"{ARN}*": {"endpoint": "aws", "credentials": "AKIA"}},
            "credentials must be 'environment'",
            id="a key in the file",
        ),
        pytest.param(
            {f"{ARN}*": {"endpoint": "aws", "credentials": "environment", "profile": "dev"}},
            "either profile or credentials",
            id="both",
        ),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_the_remedy(table, fault):
    with pytest.raises(ValueError, match=fault):
        parse(table)
