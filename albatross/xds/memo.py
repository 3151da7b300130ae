"""What pure functions returned last, so that only what has changed is computed anew."""

from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Memo:
    """Remembers one result a slot, for as long as the arguments stay equal.

    Results are shared: nobody may change them. Slots, and memos inside this one, that nobody has
    used between two calls of `forget_unused` are forgotten.
    """

    def __init__(self) -> None:
        self._last: dict[Hashable, Any] = {}
        self._used: dict[Hashable, Any] = {}

    def inside(self, slot: Hashable) -> "Memo":
        """Return the memo that is kept in this slot, for the parts of a result."""
        kept: Memo = self._used.get(slot) or self._last.get(slot) or Memo()
        self._used[slot] = kept
        return kept

    def call(
        self, slot: Hashable, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return `function(*args, **kwargs)`, the very object of the last time if that is equal."""
        given = (function, args, kwargs)
        kept = self._used.get(slot) or self._last.get(slot)
        if kept is None or kept[0] != given:
            kept = (given, function(*args, **kwargs))
        self._used[slot] = kept
        result: T = kept[1]
        return result

    def forget_unused(self) -> None:
        self._last, self._used = self._used, {}
