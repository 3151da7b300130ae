"""The layers of a function. Source: Lambda API, `CreateFunction` (Layers); Lambda guide, "Adding
layers to functions", "Lambda quotas".
"""

from collections.abc import Sequence

from albatross.lambda_ import layers
from albatross.model import arn
from albatross.model.errors import InvalidParameterValueException, ValidationException
from albatross.model.function import Function, Package, UsedLayer
from albatross.model.layer import LayerVersion
from albatross.store.packages import UNZIPPED_BYTES_MAX
from albatross.store.transaction import Transaction

LAYERS_MAX = 5


def named(
    tx: Transaction, version_arns: Sequence[str], present: Sequence[UsedLayer] = ()
) -> tuple[UsedLayer, ...]:
    """Return the layers that a function asks for. Those that it has, `present`, it may keep.

    Raises InvalidParameterValueException, ValidationException, AccessDeniedException.
    """
    if len(version_arns) > LAYERS_MAX:
        raise InvalidParameterValueException(f"Cannot reference more than {LAYERS_MAX} layers.")
    kept = {layer.arn: layer for layer in present}
    found: dict[str, UsedLayer] = {}  # by the ARN of their layer
    for version_arn in version_arns:
        # AWS is silent: a function may keep a layer version that has been deleted since, or that
        # it may no longer use, when its list of layers is set again.
        layer = kept.get(version_arn) or _layer(tx, version_arn)
        layer_arn = version_arn.rpartition(":")[0]
        if layer_arn in found:
            raise InvalidParameterValueException(
                "Two different versions of the same layer are not allowed to be referenced in the "
                f"same function. {found[layer_arn].arn} and {version_arn} are versions of the same "
                "layer."
            )
        found[layer_arn] = layer
    return tuple(found.values())


def check_size(tx: Transaction, function: Function) -> None:
    """Raise InvalidParameterValueException where code and layers are too large together."""
    if not function.layers:
        return  # the code alone has been checked
    packages = [layer.content for layer in function.layers]
    if isinstance(function.code, Package):
        packages.append(function.code)
    size = sum(tx.packages.unpacked_bytes(package) for package in packages)
    if size > UNZIPPED_BYTES_MAX:
        raise InvalidParameterValueException(
            "Function code combined with layers exceeds the maximum allowed size of "
            f"{UNZIPPED_BYTES_MAX} bytes. The actual size is {size} bytes."
        )


def _layer(tx: Transaction, version_arn: str) -> UsedLayer:
    called = arn.parse_layer(version_arn)
    if called is None or called.version is None:
        raise ValidationException(
            f"1 validation error detected: Value '[{version_arn}]' at 'layers' failed to satisfy "
            "constraint: Member must be the ARN of a layer version"
        )
    if called.scope.account == tx.scope.account:
        if called.scope.region != tx.scope.region:
            raise InvalidParameterValueException(
                "Layers are not in the same region as the function. "
                f"Layers are expected to be in region {tx.scope.region}."
            )
        if tx.get(LayerVersion, version_arn) is None:
            raise InvalidParameterValueException(f"Layer version {version_arn} does not exist.")
    version = layers.find(tx, version_arn)
    return UsedLayer(arn=version_arn, content=version.content)
