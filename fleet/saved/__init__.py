"""Plans that are kept in a file and carried out later: one host's part, the seals of its secrets, and the file of all hosts."""
