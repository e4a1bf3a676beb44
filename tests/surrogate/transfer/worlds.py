"""Small families of functions for tests of transfer."""

import numpy as np

from surrogate.transfer.sources import Source


def bump(X, centre=0.6, sign=1.0):
    return sign * np.exp(-(((X - centre) / 0.2) ** 2).sum(axis=1))


def source_of(function, name="one", n=30, d=2, seed=0, noise=0.01, **more):
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    return Source(name=name, X=X, y=function(X) + noise * rng.normal(size=n), **more)
