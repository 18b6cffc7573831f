"""Pull mode on the control machine: keys, and what is published for hosts that converge by themselves (fleet/puller)."""
