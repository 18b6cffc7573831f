"""Skiff's runtime: a container engine, its daemon, its client and an OCI runtime."""

VERSION = "0.1.0"
# The oldest version whose hosts this one takes over as they are: state under /var/lib/skiff and /run/skiff, daemon.json.
FOLLOWS = "0.1.0"
