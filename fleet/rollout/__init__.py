"""Rollouts: a version of the runtime brought to many hosts batch by batch, with gates between, and the way back."""
