"""The contract row by row, as seen from outside: the server of the tests of traffic."""

from tests.e2e.conftest import multi, single, traffic

__all__ = ["multi", "single", "traffic"]
