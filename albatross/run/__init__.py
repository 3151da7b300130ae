"""`albatross run`: one function behind one load balancer, and what the terminal shows of it."""
