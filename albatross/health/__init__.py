"""Health checks of targets: what each finds, what follows from it, and when the next one is due."""
