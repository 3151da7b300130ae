"""The control plane: the AWS API, what follows from the state, and what publishes it."""
