"""Kernel modules and parameters that containers need."""
