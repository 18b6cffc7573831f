"""Snapshots: layers unpacked by chain ID, and the overlay mounts of containers, in containerd's words."""
