"""The Lambda host: requests of the proxy become invocations of functions."""
