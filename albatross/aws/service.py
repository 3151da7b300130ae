"""The service models: what botocore knows of each API. Loaded when first needed, then kept."""

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, StructureShape

from albatross.aws.errors import SIGNATURE_CODES, STATUS

# Signing name -> botocore's name of the service.
SERVICES = {
    "acm": "acm",
    "elasticloadbalancing": "elbv2",
    "lambda": "lambda",
    "logs": "logs",
    "sts": "sts",
}


class Service:
    """One AWS API. `name` is its signing name."""

    def __init__(self, name: str) -> None:
        # Only botocore's own data: a model in the user's ~/.aws/models is not the contract.
        loader = Loader(
            extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
        )
        description = loader.load_service_model(SERVICES[name], "service-2")
        _forget_documentation(description)
        self.name = name
        self.model = ServiceModel(description, SERVICES[name])
        self.protocol: str = self.model.metadata["protocol"]  # query | rest-json | json
        self.is_query = self.protocol == "query"
        self.error_shapes: dict[str, StructureShape] = {
            shape.error_code: shape
            for shape in self.model.error_shapes
            if isinstance(shape, StructureShape)
        }

    def operation(self, name: str) -> OperationModel:
        """Return the model of operation `name`, which is one of `model.operation_names`."""
        return self.model.operation_model(name)

    def status(self, code: str) -> int:
        """Return the HTTP status of error `code`: the model's, else that of the common errors."""
        shape = self.error_shapes.get(code)
        if self.protocol == "json" and code in SIGNATURE_CODES:
            return 400  # this protocol knows no other of the caller's faults
        if shape is None:
            return STATUS.get(code, 400)
        return int(shape.metadata.get("error", {}).get("httpStatusCode", 400))


@cache
def service(name: str) -> Service:
    """Return the API with this signing name, one of SERVICES."""
    return Service(name)


def _forget_documentation(description: Any) -> None:
    """Drop every text of the model: megabytes that nothing here reads."""
    if isinstance(description, dict):
        if isinstance(description.get("documentation"), str):
            del description["documentation"]
        for value in description.values():
            _forget_documentation(value)
    elif isinstance(description, list):
        for value in description:
            _forget_documentation(value)
