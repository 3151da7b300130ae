"""Albatross: an Application Load Balancer you can run yourself, with Lambda functions as targets."""

__version__ = "0.1.0"
