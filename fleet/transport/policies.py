"""The host key policies by name, apart from the code that acts on them, which is slow to import."""

STRICT = "strict"
ACCEPT_NEW = "accept-new"
POLICIES = (STRICT, ACCEPT_NEW)
