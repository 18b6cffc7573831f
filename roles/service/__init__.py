"""The daemon as a systemd service."""
