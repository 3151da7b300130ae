"""The wire: AWS's protocols, by botocore's service models, and the application that speaks them."""
