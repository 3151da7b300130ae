"""What `pip install` compiles: the module that the proxy loads for ordinary requests.

Where no C compiler works, Albatross is installed without it and does the same, a little slower.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "albatross/xds/native/ordinary.c"
LIBRARY = "albatross/xds/native/ordinary.so"
OPTIONS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC")


class Compile(BuildHookInterface[Any]):
    """Compiles `SOURCE`; a wheel with it is for this platform and any Python."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or not self._compile():
            return
        build_data["artifacts"].append(LIBRARY)
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"

    def _compile(self) -> bool:
        library = Path(self.root, LIBRARY)
        made = library.with_suffix(".new")
        compiler = os.environ.get("CC") or shutil.which("cc")
        if compiler is None:
            library.unlink(missing_ok=True)
            self.app.display_warning("no C compiler: requests will go without their shortcut")
            return False
        # What it calls is in Envoy, which loads it. macOS wants to be told so.
        later = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()
        source = str(Path(self.root, SOURCE))
        command = (*compiler.split(), *OPTIONS, *later, "-o", str(made), source)
        if subprocess.run(command, check=False).returncode == 0:
            made.replace(library)  # in one go: a server that runs may be about to load it
            return True
        library.unlink(missing_ok=True)  # of an older source
        self.app.display_warning("without the shortcut of requests, which does not compile here")
        return False
