"""Evaluate speech affect on labelled recordings of your own.

hailong models eval speech --index FILE.csv --out predictions.csv [--json]
hailong models eval speech --across --data DATA --cache FOLDER [--json]

FILE.csv has the columns path,label,speaker; paths are relative to the file; speaker may be empty or missing. WAV, FLAC,
OGG, Opus, MP3 and whatever else PyAV reads; any rate, any number of channels. Labels: neutral, happiness, sadness,
anger, fear, disgust, surprise, calm, boredom (another or empty label: predicted, but not measured). A recording of more
than 15 s is judged in equal pieces of at most 8 s, as the box cuts speech, and their mean counts; after two minutes the
rest is left out. The table has one line for each row: path,found,arousal,p_negative,valence,uncertainty,
arousal_own_middle,p_negative_own_middle,reason.

`--across` trains on all corpora but one and reports that one, for every choice of features and threshold, by sex
(`models.training.speech_across`).

Measures of `arousal` (high: anger, happiness, fear, surprise; low: sadness, neutral, calm, boredom) and `valence`
(negative: anger, sadness, fear, disgust, boredom; or not; surprise is left out), each with a 95 % bootstrap interval,
over whole speakers where at least five are named, else over recordings:

  uar              mean recall of the two classes at the threshold 1/2: every recording is judged alone and nothing is
                   known of its speaker. This is what the box does
  auc, ece         ranking; top-class calibration
  ..._own_middle   the same where all recordings of a speaker are listened to first, without their labels, and the
                   threshold is moved towards that speaker's median. NOT what the box does, and it takes for granted
                   that each speaker is heard about as often in both classes (models/speech_baseline.py)
  auc_uncertainty  of the uncertainty against the errors of `uar`: 1/2 says that doubt does not tell where errors are
  coverage         accuracy when only the least uncertain share answers
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import across, evaluate, metrics
from models.labels import HIGH_AROUSAL, POLARITY_OF
from models.sound_file import read_sound
from models.speech_affect import GREATEST_S, SpeechAffectNetwork, unheard
from models.speech_baseline import PRIOR, own_middles
from pipeline.errors import SourceError
from pipeline.records import SAMPLE_RATE_HZ, SpeechAffect

COLUMNS = (
    "path",
    "found",
    "arousal",
    "p_negative",
    "valence",
    "uncertainty",
    "arousal_own_middle",
    "p_negative_own_middle",
    "reason",
)
PIECE_S = 8.0
MIN_SPEAKERS = 5
"""Fewer cannot be resampled as wholes: the interval would be far too short."""
_QUIET = 0.1
_PLAIN = "1/2, each recording alone, nothing known of the speaker"
_OWN = (
    f"moved n/(n+{PRIOR:g}) of the way to the median of the speaker's n recordings; no labels are used; "
    "the box does not do this"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One row with what came out: `affect` is None where there was nothing to judge, for `reason`."""

    path: str
    label: str
    speaker: str
    affect: SpeechAffect | None
    reason: str


@dataclass(frozen=True, slots=True)
class Scored:
    """Probabilities of one measure, plain and against the speaker's own middle: float64 [n] each."""

    plain: NDArray[np.float64]
    own: NDArray[np.float64]


def judge(network: SpeechAffectNetwork, samples: NDArray[np.float32]) -> tuple[SpeechAffect | None, str]:
    """Affect of a recording of any length, float32 [n] at 16 kHz, or None with the reason."""
    reason = unheard(samples)
    if reason:
        return None, reason
    if len(samples) <= GREATEST_S * SAMPLE_RATE_HZ:
        return network.infer(samples), ""
    pieces = np.array_split(samples, int(np.ceil(len(samples) / (PIECE_S * SAMPLE_RATE_HZ))))
    levels = np.array([float(np.sqrt(np.mean(piece.astype(np.float64) ** 2))) for piece in pieces])
    loud = [piece for piece, level in zip(pieces, levels, strict=True) if level > _QUIET * levels.max()]
    heard = [network.infer(piece) for piece in loud]
    mean = np.mean([(one.arousal, one.p_negative, one.uncertainty) for one in heard], axis=0)
    negative = float(np.log(mean[1]) - np.log1p(-mean[1]))
    return SpeechAffect(float(mean[0]), negative, float(mean[2]), len(samples) / SAMPLE_RATE_HZ), ""


def predict(network: SpeechAffectNetwork, rows: list[dict[str, str]], folder: Path) -> list[Answer]:
    """What comes out for every row; nothing that a file holds stops the run."""
    answers = []
    for row in evaluate.with_progress(rows, "recordings", 200):
        affect, reason = None, "no path"
        if row["path"]:
            try:
                affect, reason = judge(network, read_sound(folder / row["path"]))
            except SourceError as error:
                reason = error.message
        answers.append(Answer(row["path"], row["label"].lower(), row["speaker"], affect, reason))
    return answers


def scored(answers: list[Answer]) -> tuple[Scored, Scored]:
    """Probabilities of high arousal and of negative valence; NaN where nothing was found."""
    found = np.array([one.affect is not None for one in answers], dtype=np.bool_)
    speakers = np.array([one.speaker for one in answers], dtype=np.str_)[found]
    heard = [one.affect for one in answers if one.affect is not None]
    high = np.array([one.arousal for one in heard])
    negative = np.array([one.p_negative for one in heard])
    both = []
    for probability in (high, negative):
        plain, own = np.full((2, len(answers)), np.nan)
        cut = np.clip(probability, 1e-6, 1.0 - 1e-6)
        log_odds = np.log(cut / (1.0 - cut))
        plain[found] = probability
        own[found] = 1.0 / (1.0 + np.exp(own_middles(log_odds, speakers) - log_odds))
        both.append(Scored(plain, own))
    return both[0], both[1]


def write(answers: list[Answer], high: Scored, negative: Scored, out: Path) -> None:
    """The table of predictions, columns as in `COLUMNS`."""
    rows: list[tuple[object, ...]] = []
    for index, one in enumerate(answers):
        if one.affect is None:
            rows.append((one.path, 0, *[""] * (len(COLUMNS) - 3), one.reason))
            continue
        figures = (high.plain[index], negative.plain[index], one.affect.valence, one.affect.uncertainty)
        rows.append((one.path, 1, *map(float, figures), float(high.own[index]), float(negative.own[index]), ""))
    evaluate.write_table(out, COLUMNS, rows)


def measure(answers: list[Answer], high: Scored, negative: Scored, resamples: int = 1000) -> evaluate.Json:
    """The measures as a table for JSON; rows without sound, or with another label, are counted only."""
    labels = [one.label for one in answers]
    found = np.array([one.affect is not None for one in answers], dtype=np.bool_)
    named = sorted({one.speaker for one in answers if one.affect is not None and one.speaker})
    over_speakers = len(named) >= MIN_SPEAKERS
    keys = [one.speaker or f"row {index}" if over_speakers else str(index) for index, one in enumerate(answers)]
    clusters = np.unique(keys, return_inverse=True)[1] if answers else np.zeros(0, np.int64)
    doubt = np.array([1.0 if one.affect is None else one.affect.uncertainty for one in answers])
    summary: evaluate.Json = {
        "n": len(answers),
        "found": int(found.sum()),
        "not_found": evaluate.counts([one.reason for one in answers if one.affect is None]),
        "labels": evaluate.counts(labels),
        "other_labels": sum(label not in HIGH_AROUSAL for label in labels),
        "speakers": len(named),
        "intervals_over": "speakers" if over_speakers else "recordings",
        "threshold": _PLAIN,
        "threshold_own_middle": _OWN if named else "no speaker is named",
    }
    truths = {
        "arousal": [HIGH_AROUSAL.get(label) for label in labels],
        "valence": [None if POLARITY_OF.get(x) is None else POLARITY_OF[x] == "negative" for x in labels],
    }
    for name, scores in (("arousal", high), ("valence", negative)):
        kept = found & np.array([truth is not None for truth in truths[name]], dtype=np.bool_)
        if kept.any():
            summary[name] = _figures(
                np.array([bool(truth) for truth in truths[name]])[kept],
                Scored(scores.plain[kept], scores.own[kept]),
                -np.abs(scores.plain[kept] - 0.5) if name == "arousal" else doubt[kept],
                clusters[kept],
                resamples,
                bool(named),
            )
    return summary


def _figures(
    true: NDArray[np.bool_],
    scores: Scored,
    uncertainty: NDArray[np.float64],
    clusters: NDArray[np.int64],
    resamples: int,
    named: bool,
) -> evaluate.Json:
    said, said_own = scores.plain > 0.5, scores.own > 0.5
    interval = partial(evaluate.interval, resamples=resamples, clusters=clusters)
    nothing = {"value": None, "low": None, "high": None}

    def uar(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
        """NaN where only one class occurs: a mean of one recall would be 1 for whoever always says it."""
        two_classes = one.any() and not one.all()
        return metrics.uar(one.astype(np.int64), two.astype(np.int64), 2) if two_classes else float("nan")

    both = np.stack([1.0 - scores.plain, scores.plain], axis=1)
    return {
        "measured": len(true),
        "positive_share": round(float(true.mean()), 4),
        "uar": interval(uar, true, said),
        "auc": interval(metrics.auc, true, scores.plain),
        "ece": interval(metrics.ece, true.astype(np.int64), both),
        "recall": {
            "yes": round(float(said[true].mean()), 4) if true.any() else None,
            "no": round(float((~said[~true]).mean()), 4) if (~true).any() else None,
        },
        "uar_own_middle": interval(uar, true, said_own) if named else nothing,
        "auc_own_middle": interval(metrics.auc, true, scores.own) if named else nothing,
        "auc_uncertainty": interval(metrics.auc, true != said, uncertainty),
        "coverage": evaluate.coverage(true == said, uncertainty),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    evaluate.add_arguments(parser, "path,label,speaker", "speech-affect")


def _across(args: argparse.Namespace) -> across.Json:
    from models.training.speech_across import report

    return report(*across.folders(args))


def run(args: argparse.Namespace) -> int:
    """Predict every row, write the table, print the measures."""
    if args.across:
        return across.show(lambda: _across(args), args.json)
    index, out = evaluate.index_and_out(args)
    rows = evaluate.read_index(index, ("path", "label"), ("speaker",))
    network = SpeechAffectNetwork(evaluate.weights_of("speech-affect", args.weights))
    answers = predict(network, rows, index.parent)
    high, negative = scored(answers)
    write(answers, high, negative, out)
    evaluate.show({"network": "speech-affect"} | measure(answers, high, negative, args.resamples), args.json)
    return 0
