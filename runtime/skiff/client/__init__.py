"""A small client of the Engine API over a unix socket, cheap to import."""
