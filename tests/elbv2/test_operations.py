from botocore.loaders import Loader

from albatross import elbv2
from albatross.control import trust_material


def test_every_operation_is_one_of_awss_and_only_describing_ones_read():
    known = Loader().load_service_model("elbv2", "service-2")["operations"]
    assert elbv2.OPERATIONS.keys() <= known.keys()
    for name, operation in elbv2.OPERATIONS.items():
        assert operation.writes is not name.startswith(("Describe", "Get"))


def test_every_operation_of_aws_is_there():
    known = Loader().load_service_model("elbv2", "service-2")["operations"]
    assert elbv2.OPERATIONS.keys() | trust_material.OPERATIONS == known.keys()
