"""The provisioning engine, control side: from an inventory and roles to hosts in their declared state."""

VERSION = "0.1.0"
