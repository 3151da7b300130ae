"""Every error that an operation may raise has an HTTP status from a model or from the table."""

import importlib
import pkgutil

import pytest

import albatross
from albatross.aws.errors import STATUS
from albatross.aws.service import SERVICES, service
from albatross.model.errors import AwsError


def _subclasses(cls):
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


for _module in ("model", "aws", "acm", "elbv2", "lambda_"):
    for _found in pkgutil.iter_modules(
        importlib.import_module(f"albatross.{_module}").__path__, f"albatross.{_module}."
    ):
        importlib.import_module(_found.name)

ERRORS = sorted(
    {cls for cls in _subclasses(AwsError) if cls.__module__.startswith(albatross.__name__)},
    key=lambda cls: cls.__name__,
)


@pytest.mark.parametrize("error", [pytest.param(error, id=error.__name__) for error in ERRORS])
def test_the_code_is_one_that_aws_has(error):
    in_models = set().union(*(service(name).error_shapes for name in SERVICES))
    assert error.code in in_models or error.code in STATUS


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        pytest.param("elasticloadbalancing", "RuleNotFound", 400, id="model"),
        pytest.param("elasticloadbalancing", "HealthUnavailable", 500, id="model, server's fault"),
        pytest.param("lambda", "ResourceNotFoundException", 404, id="model, REST"),
        pytest.param("lambda", "NotImplemented", 501, id="table"),
        pytest.param("lambda", "ValidationException", 400, id="table, REST"),
        pytest.param("sts", "SomethingElse", 400, id="anything else"),
    ],
)
def test_the_status_comes_from_the_model_or_from_the_table(name, code, status):
    assert service(name).status(code) == status
