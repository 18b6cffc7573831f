"""The runtime's files under /opt/skiff, its commands and its data root."""
