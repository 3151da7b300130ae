"""What must be so before any test is imported."""

import os

# gRPC's threads are started anew in a fork of the process that has them, which crashes a good part
# of the processes that tests start as another user.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
