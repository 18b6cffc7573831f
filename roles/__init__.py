"""Roles: each a pure function from facts and variables to resources, with its defaults, checks and README."""
