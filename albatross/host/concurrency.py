"""How many invocations may run at once: of an account, and of a function with all its versions.

An invocation for which a version has provisioned concurrency left runs on that. Every other one
counts against the rest of the function's reserved concurrency or, without a reservation, of the
account's. Source: Lambda guide, "Understanding Lambda function scaling"; Lambda quotas.
"""

from albatross.host.invocation import Invocation


class Account:
    """The concurrency that functions without a reservation share."""

    # differs from AWS: the rates of AWS are not enforced: 1,000 new environments in 10 seconds, and
    # 10 requests a second for each environment.
    CONCURRENCY = 1000

    def __init__(self) -> None:
        self.reserved = 0  # taken out of what is shared: reservations and provisioned concurrency
        self.running = 0

    def has_room(self) -> bool:
        return self.running < self.CONCURRENCY - self.reserved


class Allowance:
    """What one function may use, over all its versions."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.reserved: int | None = None
        self.provisioned = 0
        self.running = 0  # without those that run on provisioned concurrency

    def limit(self, reserved: int | None, provisioned: int) -> None:
        """Work by another reservation, and sum of the provisioned concurrency of all versions."""
        self.account.reserved -= self._held()
        self.reserved, self.provisioned = reserved, provisioned
        self.account.reserved += self._held()

    def take(self, invocation: Invocation) -> str | None:
        """Let `invocation` run, or return the reason why it may not, as Invoke names it."""
        if self.reserved is None:
            if not self.account.has_room():
                return "ConcurrentInvocationLimitExceeded"
            self.account.running += 1
            invocation.shared = True
        elif self.running >= self.reserved - self.provisioned:
            return "ReservedFunctionConcurrentInvocationLimitExceeded"
        self.running += 1
        return None

    def give_back(self, invocation: Invocation) -> None:
        """`invocation`, which was let run, has ended."""
        self.running -= 1
        if invocation.shared:
            self.account.running -= 1

    def _held(self) -> int:
        return self.provisioned if self.reserved is None else self.reserved
