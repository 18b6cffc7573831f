"""CentOS's own package repositories, from a mirror that answers."""
