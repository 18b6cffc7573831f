"""Invoke's tasks by subject: options in, one call, what to print and the exit status. `tasks.py` gives them their names."""
