"""System calls through ctypes, one thin wrapper each, split by subsystem; knows nothing of containers."""
