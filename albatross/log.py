"""The server's own log lines: one format in every process."""

import logging


def configure(level: str) -> None:
    """Send log lines from `level` (a name, any case) up to the error stream."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
