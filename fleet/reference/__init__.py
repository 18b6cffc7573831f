"""The reference in docs/reference, drawn from what it describes: tasks, variables, messages."""
