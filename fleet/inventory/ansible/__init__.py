"""Ansible's inventories, read as they are: INI, YAML, host ranges, and the variables that say how to connect."""
