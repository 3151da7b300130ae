"""What checks of servers have in common, whatever they speak."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")

RESPONSE_BYTES_MAX = 1024 * 1024  # after which the rest of an answer is not waited for


class Malformed(Exception):
    """The target answered with what is not HTTP, or with half an answer."""


class Check(asyncio.Protocol, Generic[T]):
    """One request on a connection of its own. What comes back is put into `answer`.

    It only writes when it is called. `answer` raises Malformed, ConnectionError.
    """

    def __init__(self) -> None:
        self.answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def end(self, answer: T) -> None:
        """Put `answer` in, unless there is one."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Let `answer` raise `error`, unless there is one."""
        if not self.answer.done():
            self.answer.set_exception(error)
