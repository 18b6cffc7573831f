"""The provisioning benchmark: one job, four ways to do it, on the same hosts in the same run. `python -m tests.bench.provision`."""
