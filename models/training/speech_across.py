"""`hailong models eval speech --across`: every corpus left out in turn, by choice of features and of threshold, by sex.

Trains on all corpora but one (TESS, whose terms forbid derivatives, is only ever tested on) and reports that one, clean
utterances. Choices:

- what is seen of pitch: as shipped; without its height (five figures); or its height against the middle of the voice's
  register, which is told from the utterance's own median pitch;
- the arousal: as fitted; or evened between the sexes (`models.training.speech_even`), by the strengths of `EVENED`;
- the threshold: 0, as the box has it; higher for the upper register by `RAISED`; or moved by what the same voice said
  first (its first utterances, no labels, shrunk as in `models.speech_baseline`), as a visit's first seconds
  does.

`calm_women`, `calm_men`: share of calm voices called aroused. `gap`: difference of the two sexes' UAR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models import across, metrics
from models.speech_summary import columns
from models.training.speech import MEASURES, Float64, even, train
from models.training.speech_data import TEST_ONLY, Corpus, classes_of, load_corpus
from pipeline.visit import FIRST_UTTERANCES, WORTH_OF_PRIOR

CORPORA = ("emodb", "ravdess", "nemo", "ased", "tess")
HEIGHTS = columns("pitch")[[0, 1, 2, 3, 8]]
"""Mean, median, low, high and loudness-weighted mean of pitch, in octaves above 150 Hz."""
MIDDLE = HEIGHTS[1]
BORDER, BELOW, ABOVE, SOFTNESS = 0.25, -0.25, 0.53, 0.1
"""Octaves above 150 Hz: between the registers (178 Hz), and their middles (126 and 217 Hz)."""
EVENED = (1.0,)
RAISED = 0.3
"""Log-odds by which the upper register's threshold of arousal is raised, where it is."""


def as_shipped(corpus: Corpus) -> Corpus:
    """All 126 figures."""
    return corpus


def without_height(corpus: Corpus) -> Corpus:
    """Nothing of how high a voice is, all of how it moves."""
    summaries = corpus.summaries.copy()
    summaries[:, :, HEIGHTS] = 0.0
    return replace(corpus, summaries=summaries)


def upper_register(summaries: npt.NDArray[np.float32]) -> Float64:
    """How surely an utterance is in the upper register, in [0, 1], of summaries [..., 126]."""
    return np.asarray(1.0 / (1.0 + np.exp(-(summaries[..., MIDDLE].astype(np.float64) - BORDER) / SOFTNESS)))


def against_register(corpus: Corpus) -> Corpus:
    """Heights less the middle of the register that the utterance's own median pitch is in."""
    summaries = corpus.summaries.copy()
    middle = BELOW + upper_register(summaries) * (ABOVE - BELOW)
    summaries[:, :, HEIGHTS] -= middle[:, :, None]
    return replace(corpus, summaries=summaries)


FEATURES: dict[str, Callable[[Corpus], Corpus]] = {
    "as shipped": as_shipped,
    "without the height of pitch": without_height,
    "height against the register": against_register,
}


def own_beginning(scores: Float64, speakers: npt.NDArray[np.str_], first: int = FIRST_UTTERANCES) -> Float64:
    """The threshold of each utterance: the shrunk median of what its speaker said first; 0 for these themselves."""
    thresholds = np.zeros(len(scores))
    for name in np.unique(speakers):
        rows = np.flatnonzero(speakers == name)
        begun = rows[:first]
        thresholds[rows[first:]] = np.median(scores[begun]) * len(begun) / (len(begun) + WORTH_OF_PRIOR)
    return thresholds


def figures(scores: Float64, truth: npt.NDArray[np.int64], women: npt.NDArray[np.bool_]) -> dict[str, float]:
    """UAR and AUC, false alarms by sex, and the gap between the sexes' UAR (NaN where one sex is missing)."""
    kept = truth >= 0
    score, true, of_women = scores[kept], truth[kept], women[kept]
    said = (score > 0).astype(np.int64)

    def uar(rows: npt.NDArray[np.bool_]) -> float:
        both = len(np.unique(true[rows])) == 2
        return metrics.uar(true[rows], said[rows], 2) if both else across.NAN

    def called(rows: npt.NDArray[np.bool_]) -> float:
        return float(said[rows & (true == 0)].mean()) if (rows & (true == 0)).any() else across.NAN

    return {
        "uar": uar(np.ones(len(true), np.bool_)),
        "auc": metrics.auc(true == 1, score),
        "calm_women": called(of_women),
        "calm_men": called(~of_women),
        "uar_women": uar(of_women),
        "uar_men": uar(~of_women),
        "gap": abs(uar(of_women) - uar(~of_women)),
    }


def report(data: Path, cache: Path, seed: int = 0) -> across.Json:
    """The whole report, over the corpora that are there."""
    names = [name for name in CORPORA if (data / "speech" / name).is_dir()]
    corpora = {name: load_corpus(name, data, cache, 0, seed) for name in names}
    tables: dict[str, dict[str, dict[str, Mapping[str, float]]]] = {measure: {} for measure in MEASURES}
    for choice, change in FEATURES.items():
        changed = {name: change(corpus) for name, corpus in corpora.items()}
        for left_out in names:
            rest = [changed[name] for name in names if name != left_out and name not in TEST_ONLY]
            if not rest:
                continue
            corpus, plain = changed[left_out], train(rest, seed)
            decisions = {choice: plain} | {
                f"{choice}, evened by {strength:g}": even(plain, rest, strength) for strength in EVENED
            }
            for name, trained in decisions.items():
                for measure, scores in zip(MEASURES, trained.scores(corpus.summaries[0]), strict=True):
                    truth = classes_of(corpus.emotion, measure)
                    moved = scores - own_beginning(scores, corpus.speaker)
                    raised = scores - RAISED * upper_register(corpora[left_out].summaries[0])
                    for threshold, judged in (
                        ("", scores),
                        (", threshold by register", raised),
                        (", threshold of its own beginning", moved),
                    ):
                        row = tables[measure].setdefault(name + threshold, {})
                        row[left_out] = figures(judged, truth, corpus.woman)
    return {
        "task": "speech",
        "corpora": {name: len(corpus.emotion) for name, corpus in corpora.items()},
        "never_trained_on": [name for name in names if name in TEST_ONLY],
        **{measure: across.summed_up(table, "uar") for measure, table in tables.items()},
    }
