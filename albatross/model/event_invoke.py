"""How events of asynchronous invocations are handled. Source: Lambda API,
`PutFunctionEventInvokeConfig`; Lambda guide, "Configuring error handling settings for Lambda
asynchronous invocations".
"""

from dataclasses import dataclass
from datetime import datetime

RETRIES_MAX = 2
AGE_S_MAX = 21_600


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInvoke:
    """The settings of a function's $LATEST, of a version or of an alias. None: AWS's default."""

    last_modified: datetime
    retries_max: int | None = None  # 0..2, after errors of the function
    age_max_s: int | None = None  # 60..21600
    on_success: str | None = None  # ARN of the destination
    on_failure: str | None = None
