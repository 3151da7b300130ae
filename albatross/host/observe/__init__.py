"""What is told of environments: to logs, to extensions, and to whoever watches."""
