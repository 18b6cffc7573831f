"""Docker's Engine API: HTTP and Docker's JSON on one side, calls of the engine on the other, nothing else."""
