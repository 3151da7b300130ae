"""Function URLs: requests to them become invocations, and results responses."""
