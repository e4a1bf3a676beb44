"""What goes wrong with features.

FeatureError
    BadItem              no features follow from an item
        CompositionError     a formula cannot be read (`surrogate.features.composition`)
    BadPool              candidates cannot be read; carries every reason
    NoFeaturizer         nobody offers a featurizer of that name, or what is offered is none
    MissingPackage       a featurizer needs a package that is not installed
    BadFeatures          a featurizer failed, or returned something else than it declares
"""

from __future__ import annotations

from collections.abc import Sequence


class FeatureError(ValueError):
    """Features cannot be had; the message says why and what to do."""


class BadItem(FeatureError):
    """No features follow from an item; the message names it."""


class BadPool(FeatureError):
    """Candidates cannot be read."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class NoFeaturizer(FeatureError):
    """Nobody offers a featurizer of that name, or what is offered is none."""


class MissingPackage(FeatureError):
    """A featurizer needs a package that is not installed; the message says which."""


class BadFeatures(FeatureError):
    """A featurizer failed, or returned something else than it declares."""
