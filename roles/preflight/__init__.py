"""Refuses a host that cannot become a container host; changes nothing."""
