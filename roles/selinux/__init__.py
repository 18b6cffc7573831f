"""SELinux's mode, now and in its file."""
