"""Names and identities of containers: checked, made up, or found by a prefix."""

from __future__ import annotations

import re
import secrets
from typing import Container, Iterable, Optional

from skiff.errors import InvalidInput

VALID = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
ID_LENGTH = 64
SHORT_LENGTH = 12

ADJECTIVES = (  # noqa: SIM905  # a block of words reads better than a column of quotes
    "able agile amber ample awake blithe bold brave breezy brisk calm candid clever coastal coral cosy crisp daring deft dry "
    "eager early even fair fast fleet fond frank free fresh gentle glad golden grand hardy high honest humble jolly keen kind "
    "level light lively loyal lucid mellow merry mild mindful modest neat nimble noble open patient placid plain proud prompt "
    "quiet quick ready robust rosy salty serene sharp silent silver sincere sleek smooth snug sober sound spry steady stout "
    "sunny sure swift tidal tidy trim true trusty upbeat vivid warm wise witty zesty"
).split()
SCIENTISTS = (  # noqa: SIM905  # as above
    "abel archimedes babbage banach bell bernoulli bohr boole bose boyle brahe cantor carson cauchy cavendish celsius "
    "chandrasekhar copernicus cori coulomb curie dalton darwin descartes dirac einstein elion euclid euler faraday fermat fermi "
    "feynman fourier franklin galileo galois gauss germain godel goeppert goodall hamilton hawking herschel hertz hilbert "
    "hodgkin hooke hopper huygens hypatia joliot joule kelvin kepler khayyam kovalevskaya lagrange lamarr laplace lavoisier "
    "leavitt leibniz linnaeus lovelace maxwell mccarthy mcclintock meitner mendel mirzakhani napier nash newton nobel noether "
    "ohm pascal pasteur pauling planck poincare ptolemy ramanujan ride ritchie rubin sagan shannon tesla torvalds turing "
    "volta wiles wozniak wu yalow"
).split()


def new_id() -> str:
    """64 hexadecimal digits."""
    return secrets.token_hex(ID_LENGTH // 2)


def check(name: str) -> str:
    """The name without the slash that Docker's clients may put before it."""
    bare = name[1:] if name.startswith("/") else name
    if not VALID.match(bare):
        raise InvalidInput(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return bare


def invent(taken: Container[str]) -> str:
    """An adjective and a scientist, with a number if that pair is in use."""
    name = f"{secrets.choice(ADJECTIVES)}_{secrets.choice(SCIENTISTS)}"
    while name in taken:
        name = f"{secrets.choice(ADJECTIVES)}_{secrets.choice(SCIENTISTS)}{secrets.randbelow(1000)}"
    return name


def by_prefix(identities: Iterable[str], prefix: str) -> Optional[str]:
    """The one identity that starts so, None if there is none; InvalidInput if there are several."""
    found = [identity for identity in identities if prefix and identity.startswith(prefix)]
    if len(found) > 1:
        raise InvalidInput(f"Multiple IDs found with provided prefix: {prefix}")
    return found[0] if found else None
