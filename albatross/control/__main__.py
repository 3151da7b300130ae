"""The control plane's process as the server starts it: imports without looks for garbage, of which
they make none; that takes a tenth less time. `serving.py` looks for it once everything runs.

`python -m albatross.control --run-dir DIR --config FILE --api-socket FD`
"""

import gc
import sys

if __name__ == "__main__":
    gc.disable()
    # botocore would load pyOpenSSL where that is installed, which takes 7 MB; ssl does as well.
    sys.modules["urllib3.contrib.pyopenssl"] = None  # type: ignore[assignment]
    from albatross.control.main import main

    sys.exit(main())
