"""Where models run: in this process, on this machine's devices, or on those of a cluster."""
