"""firewalld off and masked, or kept."""
