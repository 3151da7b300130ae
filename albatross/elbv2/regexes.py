"""Regular expressions of conditions and transforms: what the load balancer can match is taken.

Source: ALB user guide, "Condition types for listener rules". The proxy matches with RE2, which has
none of what AWS excludes: no lookaround, backreferences, atomic groups or possessive quantifiers.
"""

import re

import re2  # type: ignore[import-untyped]

from albatross.model.errors import ValidationError

# The proxy has 8 MB for a condition: five of them, each some four times as large in any case.
# AWS is silent: a regular expression that needs more than 128 KB when compiled is refused.
_COMPILED_BYTES_MAX = 128 * 1024
# After an escaped backslash a `p` is a letter.
_UNICODE_CLASS = re.compile(r"(?<!\\)(?:\\\\)*\\[pP]")
_VISIBLE = re.compile(r"[ -~]+")

_OPTIONS = re2.Options()
_OPTIONS.max_mem = _COMPILED_BYTES_MAX
_OPTIONS.encoding = re2.Options.Encoding.LATIN1  # as the proxy: no character is above \xFF
_OPTIONS.log_errors = False


def check(regex: str, what: str) -> None:
    """Raise ValidationError where `regex` cannot be matched. `what` names it for the message."""
    if not _VISIBLE.fullmatch(regex) or _UNICODE_CLASS.search(regex):
        raise _invalid(regex, what)
    try:
        re2.compile(regex.encode("ascii"), _OPTIONS)
    except re2.error:
        raise _invalid(regex, what) from None


def _invalid(regex: str, what: str) -> ValidationError:
    return ValidationError(f"The {what} '{regex}' is not a valid regular expression")
