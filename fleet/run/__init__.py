"""Runs: one exchange with each host, on any executor, and what becomes of it all."""
