"""The shim: one small process for each container, which holds its output, log and exit status and outlives the daemon."""

# What a shim of this version speaks, and the oldest that this version's daemon understands: shims outlive an upgrade of the daemon.
PROTOCOL = 1
OLDEST_PROTOCOL = 1
MAX_MESSAGE = 256 * 1024  # of the launcher's, which reach the shim as they are
