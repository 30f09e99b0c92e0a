"""Trains the speech network: `python -m models.training.speech --data PATH --out PATH --seed 0`.

`--data` is a folder with `speech/NAME/NAME.parquet` for emodb, ravdess and nemo (columns `audio` bytes of an audio
file at 16 kHz mono,
`emotion`, `speaker`); where tess is there too it is only tested on. `--out` receives `speech_affect.onnx`,
`speech_affect.json` (what came out:
the transfer between every two corpora, leave-one-corpus-out, calibration) and a cache of features.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from models import metrics
from models.speech_summary import summarise
from models.training.speech_data import SHIPPED, TEST_ONLY, Corpus, classes_of, load_corpus
from models.training.speech_export import Calibration, export
from models.training.speech_linear import Labelled, LinearMember, Scaling, balanced_weights, fit, scaling

Float64 = npt.NDArray[np.float64]
MEASURES = ("arousal", "valence")
MEMBERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "arousal": (("pitch",), ("pitch", "spectrum", "tilt"), ()),
    "valence": (
        ("slope", "contrast", "voiced_slope", "correlation", "spread", "pitch", "energy", "course", "tilt", "spectrum"),
        (),
    ),
}
"""Groups of figures that each linear member sees; () is all of them."""
RIDGE = 0.1


@dataclass(frozen=True, slots=True)
class Summed:
    """A corpus with its summaries: float32 [copies, n, 126]."""

    corpus: Corpus
    summaries: npt.NDArray[np.float32]

    def labelled(self, measure: str) -> list[Labelled]:
        """Every copy as rows for the linear members."""
        classes = classes_of(self.corpus.emotion, measure)
        return [Labelled(one, classes, self.corpus.emotion) for one in self.summaries]


@dataclass(frozen=True, slots=True)
class Trained:
    """All members of one training set."""

    scale: Scaling
    members: dict[str, list[LinearMember]]

    def scores(self, tested: Summed, copy: int = 0) -> dict[str, Float64]:
        """Scores [members, n] of each measure."""
        scaled = self.scale.apply(tested.summaries[copy])
        return {name: np.stack([one.score(scaled) for one in group]) for name, group in self.members.items()}


def prepare(corpus: Corpus) -> Summed:
    """Sums every copy of every utterance up."""
    rows = [[summarise(one) for one in tqdm(copy, desc=f"{corpus.name}: summaries")] for copy in corpus.copies]
    return Summed(corpus, np.array(rows))


def train(corpora: Sequence[Summed]) -> Trained:
    """Fits all members of both measures on all copies of the corpora."""
    rows = {name: [row for one in corpora for row in one.labelled(name)] for name in MEASURES}
    scale = scaling(rows["arousal"])
    return Trained(
        scale, {name: [fit(rows[name], scale, groups, RIDGE) for groups in MEMBERS[name]] for name in MEASURES}
    )


def figures(scores: Float64, classes: npt.NDArray[np.int64], speakers: npt.NDArray[np.str_]) -> dict[str, float]:
    """UAR and AUC of the members' mean, and the UAR against each speaker's own middle (no labels used for it)."""
    kept = classes >= 0
    mean, true = scores.mean(axis=0)[kept], classes[kept]
    own = mean.copy()
    for name in np.unique(speakers[kept]):
        rows = speakers[kept] == name
        own[rows] -= np.median(mean[rows])
    return {
        "uar": round(metrics.uar(true, (mean > 0).astype(np.int64), 2), 4),
        "auc": round(metrics.auc(true == 1, mean), 4),
        "uar_against_own_middle": round(metrics.uar(true, (own > 0).astype(np.int64), 2), 4),
    }


def calibrate(
    scores: Sequence[Float64], classes: Sequence[npt.NDArray[np.int64]], emotions: Sequence[npt.NDArray[np.str_]]
) -> Calibration:
    """Least balanced cross-entropy over corpora that the members had not seen; no offset, since none would
    transfer."""
    mean = np.concatenate([one.mean(axis=0) for one in scores])
    spread = np.concatenate([one.var(axis=0) for one in scores])
    true = np.concatenate(classes)
    weights = np.concatenate([balanced_weights(one, name) for one, name in zip(classes, emotions, strict=True)])
    sign = np.where(true == 1, 1.0, -1.0)
    best, least = Calibration(1.0, 0.0), np.inf
    for slope in np.geomspace(0.1, 4.0, 60):
        for flattening in (0.0, 0.3, 1.0, 2.0, 4.0, 8.0):
            margin = slope * mean / np.sqrt(1.0 + flattening * spread) * sign
            loss = float(weights @ np.logaddexp(0.0, -margin))
            if loss < least:
                best, least = Calibration(float(slope), flattening), loss
    return best


def report_on(trained: Trained, tested: Summed) -> dict[str, Any]:
    """Figures on the clean utterances of a corpus, and on one damaged copy where there is one."""
    result: dict[str, Any] = {}
    for copy in range(min(2, len(tested.corpus.copies))):
        scores = trained.scores(tested, copy)
        result["damaged" if copy else "clean"] = {
            name: figures(scores[name], classes_of(tested.corpus.emotion, name), tested.corpus.speaker)
            for name in MEASURES
        }
    return result


def main() -> None:
    """Reads, trains on all corpora but one in turn, calibrates on those left out, trains on all, exports, reports."""
    parser = argparse.ArgumentParser(prog="python -m models.training.speech", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds speech/NAME/NAME.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights, the report and the cache")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--copies", type=int, default=6, help="differently damaged copies of every utterance")
    parser.add_argument("--cache", type=Path, help="folder for the features (default: OUT/cache)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cache = arguments.cache or arguments.out / "cache"
    corpora = {
        name: prepare(load_corpus(name, arguments.data, cache, arguments.copies, arguments.seed)) for name in SHIPPED
    }
    extra = {
        name: prepare(load_corpus(name, arguments.data, cache, 1, arguments.seed))
        for name in TEST_ONLY
        if (arguments.data / "speech" / name).is_dir()
    }
    report: dict[str, Any] = {"seed": arguments.seed, "copies": arguments.copies, "pairs": {}, "leave_one_out": {}}
    for name, one in corpora.items():
        alone = train([one])
        report["pairs"][name] = {
            other: report_on(alone, each)["clean"] for other, each in (corpora | extra).items() if other != name
        }
    left_out: dict[str, dict[str, Float64]] = {}
    for name, one in corpora.items():
        rest = train([each for other, each in corpora.items() if other != name])
        left_out[name] = rest.scores(one)
        report["leave_one_out"][name] = report_on(rest, one)
    calibrations = []
    for measure in MEASURES:
        classes = [classes_of(one.corpus.emotion, measure) for one in corpora.values()]
        emotions = [one.corpus.emotion for one in corpora.values()]
        calibrations.append(calibrate([left_out[name][measure] for name in corpora], classes, emotions))
    report["calibration"] = {
        name: [one.slope, one.flattening] for name, one in zip(MEASURES, calibrations, strict=True)
    }
    final = train(list(corpora.values()))
    report["never_trained_on"] = {name: report_on(final, one) for name, one in extra.items()}
    heard = np.concatenate([final.scale.apply(one.summaries[copy]) for one in corpora.values() for copy in (0, 1)])
    far = float(np.percentile((heard**2).mean(axis=1), 97))
    export(
        final.scale, [final.members[name] for name in MEASURES], calibrations, far, arguments.out / "speech_affect.onnx"
    )
    (arguments.out / "speech_affect.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
