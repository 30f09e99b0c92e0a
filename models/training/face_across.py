"""`hailong models eval face --across`: prior, temperature and abstention of the face network, one source left out.

The network is the shipped one, or for a source left out the one that `--without SOURCE=FILE.onnx` names, which was
trained without it (`python -m models.training.face` without `--cache`: without RAF-DB; with `--votes-share 0`: without
FER+). Where the network has seen the source's training part, the report says so: its figures there are of faces held
out, and not of a source left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import across, metrics
from models.face_affect import FaceAffectNetwork, uncertainty_of
from models.likelihoods import GROUPS, Calibration, posterior
from models.training.face_measure import POLARITY_OF_EMOTION
from models.training.face_sources import Part, load_parts
from pipeline.fusion import FusionParameters
from pipeline.records import EVEN

TEMPERATURES = (1.0, 1.15, 1.3, 1.5, 1.75)
MAX_ERROR = 0.10
"""Of the faces that are kept, at the counter's prior."""
Table = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Read:
    """What a network says of a part, before any choice: probabilities and `usable` of each framing."""

    part: Part
    calibration: Calibration
    probabilities: list[Table]
    usable: list[NDArray[np.float32]]

    def likelihoods(self, temperature: float) -> tuple[Table, NDArray[np.float32]]:
        """Likelihoods [n, 8] and uncertainty [n] at a temperature, framings averaged."""
        calibration = Calibration(self.calibration.shares, temperature)
        rows = [calibration.likelihoods(each) for each in self.probabilities]
        doubts = [uncertainty_of(row, usable) for row, usable in zip(rows, self.usable, strict=True)]
        return np.asarray(np.mean(rows, axis=0), np.float32), np.asarray(np.mean(doubts, axis=0), np.float32)


def read(network: FaceAffectNetwork, part: Part) -> Read:
    """Run the network over all framings of a part."""
    found = [network.probabilities(part.images[:, each]) for each in range(part.images.shape[1])]
    return Read(part, network.calibration, [one for one, _ in found], [two for _, two in found])


def priors(calibration: Calibration) -> dict[str, tuple[float, ...]]:
    """The choices of a prior, as weights of the eight emotions."""
    groups = np.asarray(calibration.shares) @ GROUPS
    own = np.asarray(calibration.shares) / np.maximum(groups @ GROUPS.T, 1e-9)
    each = 1 / np.maximum(own, 1e-3)
    each[GROUPS[:, 0] == 0] = 1
    return {
        "as calibrated": tuple(groups @ GROUPS.T),
        "even over four classes": tuple(np.ones(len(own))),
        "even over eight emotions": tuple(each),
    }


def measured(likelihoods: Table, prior: Sequence[float], part: Part) -> dict[str, float]:
    """Figures of one part under one prior. `log_loss`: of three classes that weigh the same."""
    probabilities = posterior(likelihoods, prior)
    groups = probabilities @ GROUPS[:, :3]
    three = groups / np.maximum(groups.sum(1, keepdims=True), 1e-9)
    truth = POLARITY_OF_EMOTION[part.labels]
    shown, plain = truth >= 0, (truth == 0) | (truth == 1)
    loss = -np.log(np.maximum(three[shown, truth[shown]], 1e-9))
    against_neutral = groups[plain, 0] / np.maximum(groups[plain, 0] + groups[plain, 1], 1e-9)
    return {
        "accuracy": metrics.accuracy(part.labels, probabilities.argmax(1)),
        "macro_f1_polarity": metrics.macro_f1(truth[shown], three[shown].argmax(1), 3),
        "recall_negative": metrics.accuracy(truth[truth == 0], three[truth == 0].argmax(1)),
        "auc_neutral_negative": metrics.auc(truth[plain] == 0, against_neutral),
        "ece_polarity": metrics.ece(truth[shown], three[shown]),
        "log_loss": float(np.mean([loss[truth[shown] == each].mean() for each in np.unique(truth[shown])])),
    }


def at_the_counter(
    reads: Sequence[Read], temperature: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """(uncertainty, whether read right, weight) of all faces of three classes, weighed to the counter's prior."""
    prior = FusionParameters().prior
    doubts, right, weights = [], [], []
    for one in reads:
        likelihoods, uncertainty = one.likelihoods(temperature)
        truth = POLARITY_OF_EMOTION[one.part.labels]
        shown = truth >= 0
        said = (posterior(likelihoods, prior) @ GROUPS[:, :3]).argmax(1)
        doubts.append(uncertainty[shown])
        right.append((said == truth)[shown])
        share = np.bincount(truth[shown], minlength=3)
        weights.append(np.asarray(prior)[truth[shown]] / np.maximum(share[truth[shown]], 1))
    return np.concatenate(doubts).astype(np.float64), np.concatenate(right), np.concatenate(weights)


def threshold(reads: Sequence[Read], temperature: float) -> float:
    """Greatest uncertainty, in hundredths, up to which at most `MAX_ERROR` of the kept faces are read wrong."""
    doubts, right, weights = at_the_counter(reads, temperature)
    for hundredths in range(100, 0, -1):
        kept = doubts <= hundredths / 100
        if kept.any() and (weights * ~right)[kept].sum() <= MAX_ERROR * weights[kept].sum():
            return hundredths / 100
    return 0.0


def abstention(
    others: Sequence[Read], left_out: Sequence[Read], temperature: float, at: float | None
) -> dict[str, float]:
    """Error among the kept faces of a source left out, and coverage, at the counter's prior; `at`: a fixed threshold or
    the one chosen on the other sources."""
    chosen = threshold(others, temperature) if at is None else at
    doubts, right, weights = at_the_counter(left_out, temperature)
    kept = doubts <= chosen
    total = max(float(weights[kept].sum()), 1e-12)
    return {
        "threshold": chosen,
        "coverage": total / float(weights.sum()),
        "error_of_kept": float((weights * ~right)[kept].sum()) / total,
        "error_of_all": float((weights * ~right).sum() / weights.sum()),
    }


def fitted_temperature(reads: Sequence[Read]) -> float:
    """The temperature of least log loss of three classes on some sources, parts and classes weighing the same."""
    losses = [
        np.mean([measured(one.likelihoods(each)[0], EVEN, one.part)["log_loss"] for one in reads])
        for each in TEMPERATURES
    ]
    return TEMPERATURES[int(np.argmin(losses))]


def report(data: Path, cache: Path, weights: Path, without: Mapping[str, Path], fixed_threshold: float) -> across.Json:
    """The whole report."""
    parts = load_parts(data / "face", cache)
    shipped = FaceAffectNetwork(weights)
    sources = list(dict.fromkeys(part.source for part in parts))
    networks = {source: FaceAffectNetwork(without[source]) if source in without else shipped for source in sources}
    priors_left: dict[str, dict[str, dict[str, float]]] = {}
    abstained: dict[str, dict[str, dict[str, float]]] = {}
    fitted = {}
    for source, network in networks.items():
        reads = [read(network, part) for part in parts]
        own = [one for one in reads if one.part.source == source]
        others = [one for one in reads if one.part.source != source]
        fitted[source] = fitted_temperature(others) if others else 1.0
        for one in own:
            for name, prior in priors(network.calibration).items():
                for temperature in TEMPERATURES:
                    row = measured(one.likelihoods(temperature)[0], prior, one.part)
                    priors_left.setdefault(f"{name}, temperature {temperature:g}", {})[one.part.name] = row
            of_prior = priors(network.calibration)["even over four classes"]
            row = measured(one.likelihoods(fitted[source])[0], of_prior, one.part)
            priors_left.setdefault("even over four classes, temperature of the other sources", {})[one.part.name] = row
        for one in own:
            shipped_at = abstention(others, [one], shipped.calibration.temperature, fixed_threshold)
            abstained.setdefault(f"shipped threshold {fixed_threshold:g}", {})[one.part.name] = shipped_at
            if others:
                chosen = abstention(others, [one], shipped.calibration.temperature, None)
                abstained.setdefault("threshold of the other sources", {})[one.part.name] = chosen
    unseen = [name for name, network in networks.items() if name not in network.trained_on]
    return {
        "task": "face",
        "weights": weights.name,
        "sources": {part.name: len(part.labels) for part in parts},
        "network_saw_the_source": {name: name in network.trained_on for name, network in networks.items()},
        "temperature_fitted_on_the_others": fitted,
        "prior_and_temperature": across.summed_up(priors_left, "log_loss", lowest=True, judges=unseen),
        "abstention_at_the_counters_prior": across.summed_up(abstained, "error_of_kept", lowest=True, judges=unseen),
    }
