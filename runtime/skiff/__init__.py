"""Skiff's runtime: a container engine, its daemon, its client and an OCI runtime."""

VERSION = "0.1.0"
