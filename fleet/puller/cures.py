"""What helps where a source cannot be had, whatever its kind."""

CA = "give hosts the CA that signed it (`./inv pull.install --ca FILE`), or look who answers there"
PROXY = "see that the proxy runs and takes the login that hosts were given (`./inv pull.install --proxy`, SKIFF_PULL_PROXY)"
