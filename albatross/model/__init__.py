"""The nouns: what a load balancer, a rule or a function is. Standard library only, no I/O."""
