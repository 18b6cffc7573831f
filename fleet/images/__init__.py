"""Image archives on the control machine: read and checked, and packed for their way to hosts."""
