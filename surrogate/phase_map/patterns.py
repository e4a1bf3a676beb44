"""Fingerprints made comparable: background taken off, area one, the uncertainty of every channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BACKGROUND_DEGREE = 3
RELATIVE = 0.03
"""What line shapes and textures differ by where nothing else does, as a fraction of the intensity."""
_ROUNDS = 12
_MAD = 1.4826


@dataclass(frozen=True, slots=True)
class Prepared:
    """Fingerprints of `n` points, without background."""

    values: np.ndarray
    """`n x channels`, each of area one; zeros where a fingerprint has no line above its noise."""
    sd: np.ndarray
    """Standard deviation of each value, `n x channels`."""
    has_lines: np.ndarray
    """`n`, bool."""

    def __len__(self) -> int:
        return len(self.values)


def prepare(patterns: np.ndarray) -> Prepared:
    """Take background and scale off fingerprints (`n x channels`).

    The background is a cubic that is fitted again and again to what does not stand out above it (Lieber and
    Mahadevan-Jansen, Appl. Spectrosc. 57, 1363 (2003)). Noise comes from second differences; it grows as that of counts
    does, and to it comes a fraction of the intensity.
    """
    background = _backgrounds(patterns)
    lines = patterns - background
    base = np.maximum(_MAD * np.median(np.abs(np.diff(patterns, 2, axis=1)), axis=1) / 6.0**0.5, 1e-12)
    smooth = np.maximum(_smoothed(lines), 0.0)
    # of counts, the variance in proportion to the intensity: base^2 on the background
    level = np.maximum(np.median(np.abs(background), axis=1), base)
    variance = base[:, None] ** 2 * (1.0 + smooth / level[:, None]) + (RELATIVE * smooth) ** 2
    area = np.sum(lines, axis=1)
    has_lines = (smooth > 5.0 * base[:, None]).any(axis=1) & (area > 0)
    scale = np.where(has_lines, area, 1.0)[:, None]
    return Prepared(np.where(has_lines[:, None], lines / scale, 0.0), np.sqrt(variance) / scale, has_lines)


def _backgrounds(patterns: np.ndarray) -> np.ndarray:
    x = np.linspace(-1.0, 1.0, patterns.shape[1])
    basis = np.polynomial.chebyshev.chebvander(x, BACKGROUND_DEGREE)
    found = np.empty_like(patterns)
    for i, pattern in enumerate(patterns):
        kept = np.ones(len(x), dtype=bool)
        for _ in range(_ROUNDS):
            found[i] = basis @ np.linalg.lstsq(basis[kept], pattern[kept], rcond=None)[0]
            off = pattern - found[i]
            now = off < 1.5 * _MAD * np.median(np.abs(off[kept])) + 1e-12 * np.abs(pattern).max()
            if now.sum() <= len(x) // 5 or (now == kept).all():
                break
            kept = now
    return found


def _smoothed(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, ((0, 0), (1, 1)), mode="edge")
    return 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
