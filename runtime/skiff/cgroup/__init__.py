"""Control groups: one protocol, with the kernel's versions 1 and 2 behind it."""
