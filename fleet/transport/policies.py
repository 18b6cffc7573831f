"""The host key policies by name, apart from the code that acts on them, which is slow to import."""

OFF = "off"
ACCEPT_NEW = "accept-new"
STRICT = "strict"
POLICIES = (STRICT, ACCEPT_NEW, OFF)
WARNING = (
    "HOST KEYS ARE NOT CHECKED (--host-key-policy off): whoever stands between this machine and a host "
    "can read and change all that is sent, passwords included"
)


def stricter(one: str, other: str) -> str:
    """The stricter of two policies."""
    return min(one, other, key=POLICIES.index)
