"""Secrets fetched and kept: age's keys and texts, the environment, commands; what is fetched is never logged or told."""
