"""The OCI runtime: from a bundle to a container's process and back to nothing; run by the shim or as skiff-oci."""
