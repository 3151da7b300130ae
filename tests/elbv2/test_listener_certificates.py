import pytest


@pytest.fixture
def listener(make_balancer, make_https):
    return make_https(make_balancer())["ListenerArn"]


@pytest.fixture
def shown(elb):
    def shown(listener):
        described = elb.describe_listener_certificates(ListenerArn=listener)["Certificates"]
        return [(one["CertificateArn"], one["IsDefault"]) for one in described]

    return shown


def default_of(shown, listener):
    return next(arn for arn, is_default in shown(listener) if is_default)


def test_certificates_are_added_listed_and_removed(elb, listener, make_certificate, shown):
    default, added = default_of(shown, listener), make_certificate("b.example.com")
    given = [{"CertificateArn": added}]
    for _ in range(2):  # one that is there is no error
        answer = elb.add_listener_certificates(ListenerArn=listener, Certificates=given)
        assert answer["Certificates"] == [{"CertificateArn": added, "IsDefault": False}]
        assert shown(listener) == [(added, False), (default, True)]
    for _ in range(2):  # nor is one that is not
        elb.remove_listener_certificates(ListenerArn=listener, Certificates=given)
        assert shown(listener) == [(default, True)]


def test_the_default_certificate_is_shown_twice_when_it_is_in_the_list_too(
    elb, refused, listener, shown
):
    default = default_of(shown, listener)
    given = [{"CertificateArn": default}]
    elb.add_listener_certificates(ListenerArn=listener, Certificates=given)
    assert shown(listener) == [(default, False), (default, True)]
    elb.remove_listener_certificates(ListenerArn=listener, Certificates=given)
    assert shown(listener) == [(default, True)]
    code, _ = refused(elb.remove_listener_certificates, ListenerArn=listener, Certificates=given)
    assert code == "OperationNotPermitted"


def test_what_is_not_there_is_refused(
    elb, refused, listener, make_balancer, make_listener, make_certificate
):
    add = elb.add_listener_certificates
    none = [{"CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/x"}]
    assert refused(add, ListenerArn=listener, Certificates=none)[0] == "CertificateNotFound"
    given = [{"CertificateArn": make_certificate()}]
    gone = listener[:-16] + "0" * 16
    assert refused(add, ListenerArn=gone, Certificates=given)[0] == "ListenerNotFound"
    plain = make_listener(make_balancer("plain"), 80)
    assert refused(add, ListenerArn=plain, Certificates=given) == (
        "ValidationError",
        "A certificate cannot be specified for HTTP listeners",
    )


def test_the_list_comes_in_pages(elb, listener, make_certificate):
    for number in range(3):
        elb.add_listener_certificates(
            ListenerArn=listener,
            Certificates=[{"CertificateArn": make_certificate(f"{number}.example.com")}],
        )
    pages = elb.get_paginator("describe_listener_certificates").paginate(
        ListenerArn=listener, PaginationConfig={"PageSize": 3}
    )
    defaults = [[one["IsDefault"] for one in page["Certificates"]] for page in pages]
    assert defaults == [[False, False, False], [True]]
