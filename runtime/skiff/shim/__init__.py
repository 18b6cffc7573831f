"""The shim: one small process for each container, which holds its output, log and exit status and outlives the daemon."""
