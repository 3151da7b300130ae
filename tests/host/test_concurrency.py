"""Who may run: reservations, provisioned concurrency, and what an account has."""

from albatross.host.concurrency import Account, Allowance
from albatross.host.invocation import Invocation


def invocation() -> Invocation:
    return Invocation(b"{}", lambda *_: None)


def test_functions_without_a_reservation_share_the_account() -> None:
    account = Account()
    one, two = Allowance(account), Allowance(account)
    two.limit(999, 0)
    first = invocation()
    assert one.take(first) is None
    assert one.take(invocation()) == "ConcurrentInvocationLimitExceeded"
    one.give_back(first)
    assert one.take(invocation()) is None


def test_a_reservation_is_for_all_versions_less_what_is_provisioned() -> None:
    allowance = Allowance(Account())
    allowance.limit(3, 2)
    assert allowance.take(invocation()) is None
    refused = "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert allowance.take(invocation()) == refused
    allowance.limit(3, 0)
    assert allowance.take(invocation()) is None


def test_provisioned_concurrency_without_a_reservation_is_the_accounts() -> None:
    account = Account()
    allowance = Allowance(account)
    allowance.limit(None, 10)
    assert account.reserved == 10
    allowance.limit(50, 10)
    assert account.reserved == 50
    allowance.limit(None, 0)
    assert account.reserved == 0


def test_what_began_before_a_reservation_is_counted_back_where_it_was_counted() -> None:
    account = Account()
    allowance = Allowance(account)
    running = invocation()
    allowance.take(running)
    allowance.limit(5, 0)
    allowance.give_back(running)
    assert (account.running, allowance.running) == (0, 0)
