"""Asynchronous invocations: the queue of events, retries, destinations, dead letters."""
