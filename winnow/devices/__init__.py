"""Where work runs: in this process, on this machine's devices, or on a cluster's."""
