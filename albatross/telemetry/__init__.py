"""What load balancers tell about their requests: access logs."""
