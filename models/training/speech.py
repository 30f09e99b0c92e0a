"""Trains the speech network: `python -m models.training.speech --data PATH --out PATH --seed 0`.

`--data` is a folder with `speech/NAME/NAME.parquet` for emodb, ravdess and nemo (columns `audio` bytes of an audio
file at 16 kHz mono, `emotion`, `speaker`); where tess is there too it is only tested on. `--out` receives
`speech_affect.onnx`, `speech_affect.json` (what came out: the transfer between every two corpora, leave-one-corpus-out,
calibration) and a cache of summaries.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import metrics
from models.speech_baseline import own_middles
from models.training.speech_data import SHIPPED, TEST_ONLY, Classes, Corpus, classes_of, load_corpus
from models.training.speech_even import STRENGTH, evened
from models.training.speech_export import export
from models.training.speech_linear import LinearMember, Recipe, Scaling, balanced_weights, fit, scaling
from pipeline.language.parser import Parser

Float64 = npt.NDArray[np.float64]
MEASURES = ("arousal", "valence")
_VALENCE: tuple[tuple[str, ...], ...] = (
    ("slope", "contrast", "voiced_slope", "correlation", "spread", "pitch", "energy", "course", "tilt", "spectrum"),
    (),
)
RECIPES = (
    Recipe("arousal", (("pitch",), ("pitch", "spectrum", "tilt"), ()), 0.005, subdued_to=0.35),
    Recipe("valence_if_high", _VALENCE, 0.008),
    Recipe("valence_if_low", _VALENCE, 0.008),
    Recipe("valence", _VALENCE, 0.008),
)


def sigmoid(log_odds: Float64) -> Float64:
    """Probability of log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


@dataclass(frozen=True, slots=True)
class Trained:
    """All members of one training set, in the order of `RECIPES`."""

    scale: Scaling
    members: list[list[LinearMember]]

    def scores(self, summaries: npt.NDArray[np.float32]) -> tuple[Float64, Float64]:
        """Log-odds of high arousal and of negative valence, not yet calibrated: float64 [n] each of summaries [n, 126].

        What tells anger from joy is not what tells sadness from calm: the valence is that of either, weighed by how
        aroused the voice is, plus that of the members that were fitted on all at once.
        """
        scaled = self.scale.apply(summaries)
        arousal, if_high, if_low, plain = (
            np.mean([one.score(scaled) for one in group], axis=0) for group in self.members
        )
        high = sigmoid(arousal)
        negative = high * sigmoid(if_high) + (1.0 - high) * sigmoid(if_low)
        return arousal, np.log(negative / (1.0 - negative)) + plain


def train(corpora: Sequence[Corpus], seed: int) -> Trained:
    """Fits all members on all copies of the corpora."""
    scale = scaling(corpora)
    return Trained(scale, [fit(corpora, scale, recipe, seed) for recipe in RECIPES])


def even(trained: Trained, corpora: Sequence[Corpus], strength: float = STRENGTH) -> Trained:
    """The same with an arousal, of one member, that leans less on whether a woman or a man speaks.

    Valence is left as it is: evened it was no more even on corpora left out, and .002 to .011 worse."""
    group, *rest = trained.members
    whole = LinearMember(
        np.asarray(np.mean([one.weights for one in group], axis=0), np.float64),
        float(np.mean([one.offset for one in group])),
    )
    return Trained(trained.scale, [[evened(whole, trained.scale, corpora, RECIPES[0].what, strength)], *rest])


def figures(scores: Float64, classes: Classes, speakers: npt.NDArray[np.str_]) -> dict[str, float]:
    """Plain recall, ranking, recall against each speaker's own middle (no labels used for it), and how well the
    closeness to even odds finds the errors."""
    own = (scores - own_middles(scores, speakers))[classes >= 0]
    score, true = scores[classes >= 0], classes[classes >= 0]
    return {
        "uar": metrics.uar(true, (score > 0).astype(np.int64), 2),
        "auc": metrics.auc(true == 1, score),
        "uar_own_middle": metrics.uar(true, (own > 0).astype(np.int64), 2),
        "auc_own_middle": metrics.auc(true == 1, own),
        "auc_uncertainty": metrics.auc((score > 0) != (true == 1), -np.abs(score)),
    }


def calibrate(scores: Sequence[Float64], corpora: Sequence[Corpus], measure: str) -> float:
    """Slope of least balanced log-loss over corpora that the members had not seen; no offset, since none would
    transfer."""
    score = np.concatenate(scores)
    classes = [classes_of(one.emotion, measure) for one in corpora]
    weights = np.concatenate([balanced_weights(one, each.emotion) for one, each in zip(classes, corpora, strict=True)])
    sign = np.where(np.concatenate(classes) == 1, 1.0, -1.0)
    slopes = np.geomspace(0.05, 4.0, 200)
    return float(slopes[np.argmin([weights @ np.logaddexp(0.0, -slope * score * sign) for slope in slopes])])


def report_on(trained: Trained, tested: Corpus) -> dict[str, Any]:
    """Figures on the clean utterances of a corpus, and their mean over its damaged copies."""
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in MEASURES}
    for copy in tested.summaries:
        for name, scores in zip(MEASURES, trained.scores(copy), strict=True):
            rows[name].append(figures(scores, classes_of(tested.emotion, name), tested.speaker))
    result: dict[str, Any] = {}
    for state, part in (("clean", slice(0, 1)), ("damaged", slice(1, None))):
        if rows["arousal"][part]:
            result[state] = {
                name: {key: round(float(np.mean([row[key] for row in each[part]])), 4) for key in each[0]}
                for name, each in rows.items()
            }
    return result


def main() -> None:
    """Reads, trains on all corpora but one in turn, calibrates on those left out, trains on all, exports, reports."""
    parser = Parser("python -m models.training.speech", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds speech/NAME/NAME.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights, the report and the cache")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training")
    parser.add_argument("--copies", type=int, default=6, help="differently damaged copies of every utterance")
    parser.add_argument("--cache", type=Path, help="folder for the summaries (default: OUT/cache)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cache, seed = arguments.cache or arguments.out / "cache", arguments.seed
    corpora = [load_corpus(name, arguments.data, cache, arguments.copies, seed) for name in SHIPPED]
    extra = [
        load_corpus(name, arguments.data, cache, 1, seed)
        for name in TEST_ONLY
        if (arguments.data / "speech" / name).is_dir()
    ]
    report: dict[str, Any] = {"seed": seed, "copies": arguments.copies, "pairs": {}, "leave_one_out": {}}
    left_out: list[tuple[Float64, Float64]] = []
    for one in corpora:
        alone = train([one], seed)
        others = [each for each in (*corpora, *extra) if each is not one]
        report["pairs"][one.name] = {each.name: report_on(alone, each)["clean"] for each in others}
        others = [each for each in corpora if each is not one]
        rest = even(train(others, seed), others)
        left_out.append(rest.scores(one.summaries[0]))
        report["leave_one_out"][one.name] = report_on(rest, one)
    slopes = [calibrate([scores[index] for scores in left_out], corpora, name) for index, name in enumerate(MEASURES)]
    report["calibration"] = dict(zip(MEASURES, slopes, strict=True))
    final = even(train(corpora, seed), corpora)
    report["never_trained_on"] = {one.name: report_on(final, one) for one in extra}
    heard = np.concatenate([final.scale.apply(copy) for one in corpora for copy in one.summaries[:2]])
    far = float(np.percentile((heard**2).mean(axis=1), 97))
    export(final.scale, final.members, slopes, far, arguments.out / "speech_affect.onnx")
    (arguments.out / "speech_affect.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
