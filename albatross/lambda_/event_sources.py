"""Event source mappings, of which there are none: no queue or stream is read here.

Whoever lists them, as deployment tools do, is told so; CreateEventSourceMapping is not implemented.
Source: Lambda API, `ListEventSourceMappings`, `GetEventSourceMapping`.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from albatross.lambda_ import lookup
from albatross.model.errors import ResourceNotFoundException
from albatross.store.transaction import Transaction


def list_event_source_mappings(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListEventSourceMappings. Raises ResourceNotFoundException where there is no such function."""
    if "FunctionName" in params:
        lookup.find(tx, params)
    return {"EventSourceMappings": []}


def missing(tx: Transaction, params: Mapping[str, Any]) -> NoReturn:
    """GetEventSourceMapping, DeleteEventSourceMapping. Raises ResourceNotFoundException."""
    raise ResourceNotFoundException("The resource you requested does not exist.")
