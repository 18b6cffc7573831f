"""Roles on the control side: found, their variables checked, asked for resources, and compiled to what the agent reads."""

# The order in which the built-in roles are applied; a user's own roles follow them by name.
ORDER = ("preflight", "firewall", "selinux", "repositories", "packages", "kernel", "runtime", "daemon_config", "service")
