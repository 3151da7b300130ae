"""What the user's command starts with: `albatross`, or `python -m albatross`."""

import errno
import os
import signal
import sys

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)  # for what the command says; EIO: no terminal

# Until the command is loaded Ctrl-C just ends the process: nothing is there yet to clean up.
_handler = signal.getsignal(signal.SIGINT)
if _handler is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Run the command."""
    from albatross.cli import cli

    signal.signal(signal.SIGINT, _handler)
    _open_what_is_closed()
    try:
        cli(prog_name="albatross")
    except OSError as error:
        if error.errno not in _NO_ROOM or not _is_of_output(error):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # of which more may be left
        sys.exit(f"Error: the output cannot be written: {error.strerror}.")


def _is_of_output(error: OSError) -> bool:
    """Tell whether `error` arose as something was said, and not as a file was written."""
    import traceback  # only for an error

    from click.utils import echo

    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code is echo.__code__ for frame, _ in frames)


def _open_what_is_closed() -> None:
    """Have standard files though the shell has closed some: no socket may get their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


if __name__ == "__main__":
    main()
