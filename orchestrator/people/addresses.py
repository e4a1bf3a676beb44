"""Addresses with secrets in them: taken from the environment, and taken out again of whatever is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

_DOLLAR = re.compile(r"\$(\$|[A-Za-z_][A-Za-z0-9_]*)?")
_WHOLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


class SecretError(ValueError):
    """An address names a secret wrongly, or one that is not set."""


@dataclass(frozen=True, slots=True)
class Secret:
    """An address with its secrets in it; shows itself without them."""

    text: str = field(repr=False)
    hidden: tuple[str, ...] = field(repr=False, default=())

    def cleaned(self, text: str) -> str:
        """Return a text without any of the secrets, in whatever quoting, and without the address."""
        for word in sorted({self.text, *_written(self.hidden)}, key=len, reverse=True):
            if word:
                text = text.replace(word, "***")
        return text

    def __str__(self) -> str:
        return "***"


def _written(words: tuple[str, ...]) -> set[str]:
    return {form for word in words for form in (word, quote(word, safe=""), quote(word), quote_plus(word))}


def names_in(text: str) -> list[str]:
    """Return the variables that an address names.

    Raises:
        SecretError: A dollar sign stands before something that is no name.
    """
    names = []
    for match in _DOLLAR.finditer(text):
        if match[1] is None:
            raise SecretError("a $ stands before no name; write $$ for a dollar sign")
        if match[1] != "$":
            names.append(match[1])
    return names


def expanded(text: str, environment: Mapping[str, str]) -> Secret:
    """Return an address with every $NAME replaced; a part of it is quoted as a URL needs, a whole one stands as it is.

    Raises:
        SecretError: A variable is not set or empty; names it.
    """
    for name in names_in(text):
        if not environment.get(name):
            raise SecretError(f"the environment variable {name} is not set")
    whole = _WHOLE.fullmatch(text)
    if whole:
        return Secret(environment[whole[1]], (environment[whole[1]],))
    hidden = tuple(environment[name] for name in names_in(text))
    return Secret(_DOLLAR.sub(lambda match: _value(match[1], environment), text), hidden)


def _value(name: str, environment: Mapping[str, str]) -> str:
    return "$" if name == "$" else quote(environment[name], safe="")
