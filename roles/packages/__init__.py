"""What the runtime and its operator need of the host's package manager."""
