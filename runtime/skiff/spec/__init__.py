"""The documents of the OCI runtime specification: their types, Docker's defaults, and what makes one invalid."""
