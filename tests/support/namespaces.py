"""Whether functions can have mount namespaces of their own here: as root, or where users may."""

import os
import shutil
import subprocess


def _can_have_mounts() -> bool:
    program = shutil.which("unshare")  # of util-linux; nothing of the kind elsewhere
    if program is None:
        return False
    flags = "--mount" if os.getuid() == 0 else "--map-root-user --mount"
    return (
        subprocess.run([program, *flags.split(), "true"], stderr=subprocess.DEVNULL).returncode == 0
    )


HAS_MOUNTS = _can_have_mounts()
