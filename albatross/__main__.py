"""What the user's command starts with: `albatross`, or `python -m albatross`."""

import signal

# Until the command is loaded Ctrl-C just ends the process: nothing is there yet to clean up.
_handler = signal.getsignal(signal.SIGINT)
if _handler is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Run the command."""
    from albatross.cli import cli

    signal.signal(signal.SIGINT, _handler)
    cli(prog_name="albatross")


if __name__ == "__main__":
    main()
