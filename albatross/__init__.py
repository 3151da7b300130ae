"""Albatross: an Application Load Balancer of your own, with Lambda functions as targets."""

__version__ = "0.1.0"
