"""How good a network is on patterns that it was not trained on, and the temperatures that make it honest there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from surrogate.xrd.training_data import Lesson

TOP = 12
"""As many as a search screens."""
TEMPERATURES = torch.logspace(-0.7, 0.9, 81, dtype=torch.float64)
ECE_BINS = 15
DECIDED = 0.02
"""Probabilities nearer to 0 or 1 say nothing about calibration: nearly all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """On patterns that were held out."""

    loss: float
    """Cross-entropy of presence for each pattern, summed over phases, at the temperatures given."""
    recall: float
    """Share of the phases present that are among the `TOP` proposed."""
    ece: float
    """Expected calibration error of the phases' probabilities, over those between 0.02 and 0.98."""
    unknown_auroc: float
    """NaN where all patterns have strangers, or none has."""
    n: int


def logits_of(net: nn.Module, lessons: Sequence[Lesson]) -> tuple[Tensor, Tensor]:
    """Return ``n x (p + 1)`` logits of presence and the truth, in double precision on the CPU."""
    was_training = net.training
    net.eval()
    with torch.no_grad():
        pairs = [(net(one.inputs)[:, : one.present.shape[1]], one.present) for one in lessons]
    net.train(was_training)
    found, truth = (torch.cat(part).to("cpu", torch.float64) for part in zip(*pairs, strict=True))
    return found, truth


def temperatures(logits: Tensor, truth: Tensor) -> tuple[float, float]:
    """Return the temperatures of phases and of the unknown that have the least cross-entropy."""
    return _temperature(logits[:, :-1], truth[:, :-1]), _temperature(logits[:, -1:], truth[:, -1:])


def _temperature(logits: Tensor, truth: Tensor) -> float:
    losses = [binary_cross_entropy_with_logits(logits / one, truth) for one in TEMPERATURES]
    return float(TEMPERATURES[int(torch.stack(losses).argmin())])


def measured(logits: Tensor, truth: Tensor, temperature: tuple[float, float] = (1.0, 1.0)) -> Metrics:
    """Return the metrics of logits."""
    scaled = torch.cat([logits[:, :-1] / temperature[0], logits[:, -1:] / temperature[1]], dim=1)
    return Metrics(
        loss=float(binary_cross_entropy_with_logits(scaled, truth, reduction="sum")) / len(truth),
        recall=top_recall(scaled[:, :-1], truth[:, :-1]),
        ece=calibration_error(torch.sigmoid(scaled[:, :-1]).ravel(), truth[:, :-1].ravel()),
        unknown_auroc=auroc(logits[:, -1], truth[:, -1] > 0.5),
        n=len(truth),
    )


def top_recall(logits: Tensor, truth: Tensor, top: int = TOP) -> float:
    """Return which share of the phases present (``n x p``) is among the most probable ones."""
    best = logits.topk(min(top, logits.shape[1]), dim=1).indices
    present = truth > 0.5
    return float(present.gather(1, best).sum() / present.sum().clamp(min=1))


def calibration_error(probability: Tensor, truth: Tensor) -> float:
    """Return the mean distance of probabilities and frequencies over bins, of those that are not decided."""
    open_ones = (probability > DECIDED) & (probability < 1.0 - DECIDED)
    probability, truth = probability[open_ones], truth[open_ones]
    if not len(probability):
        return 0.0
    bins = (probability * ECE_BINS).to(torch.int64).clamp(max=ECE_BINS - 1)
    said = torch.zeros(ECE_BINS, dtype=probability.dtype).index_add(0, bins, probability)
    was = torch.zeros(ECE_BINS, dtype=probability.dtype).index_add(0, bins, truth.to(probability.dtype))
    return float((said - was).abs().sum() / len(probability))


def auroc(score: Tensor, truth: Tensor) -> float:
    """Return the probability that a true one scores above a false one (ties count half)."""
    yes, no = score[truth], score[~truth]
    if not len(yes) or not len(no):
        return float("nan")
    above = (yes[:, None] > no[None]).to(torch.float64) + 0.5 * (yes[:, None] == no[None])
    return float(above.mean())
