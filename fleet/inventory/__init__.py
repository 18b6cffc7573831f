"""Who is provisioned: hosts, groups and their settings, read from YAML files with each fault's place, and chosen by patterns."""
