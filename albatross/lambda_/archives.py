"""Archives of code, of functions and layers. Source: Lambda API, `FunctionCode`; Lambda guide,
"Lambda quotas".
"""

from collections.abc import Mapping
from typing import Any

from albatross.model.errors import InvalidParameterValueException, RequestEntityTooLargeException
from albatross.model.function import Package
from albatross.store.transaction import Transaction

ZIP_BYTES_MAX = 50 * 1024 * 1024  # in a request; an object of S3 may have more
ELSEWHERE = ("S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri")


def keep(tx: Transaction, code: Mapping[str, Any], fetched: bytes | None) -> Package:
    """Keep the archive in `code`, else the one that was `fetched`, and return it.

    Raises InvalidParameterValueException, RequestEntityTooLargeException.
    """
    # differs from AWS: the code of all functions together may take more than 300 GB.
    if fetched is not None:
        return tx.packages.add(fetched)
    if "ZipFile" not in code:
        raise InvalidParameterValueException("Please provide a source for function code.")
    if any(code.get(member) for member in ELSEWHERE):
        raise InvalidParameterValueException(
            "Please do not provide other FunctionCode parameters when providing a ZipFile."
        )
    content: bytes = code["ZipFile"]
    if len(content) > ZIP_BYTES_MAX:
        raise RequestEntityTooLargeException(
            f"Zipped size must be smaller than {ZIP_BYTES_MAX} bytes"
        )
    return tx.packages.add(content)
