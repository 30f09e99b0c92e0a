"""Evaluate sentiment on labelled sentences of your own.

hailong models eval text --index FILE.csv --out predictions.csv [--readers bag|both] [--prior PRIOR] [--json]
hailong models eval text --across --data DATA --cache FOLDER [--counter SENTENCES.csv] [--json]

FILE.csv has the columns text,label; labels: negative, neutral, positive (another or empty label: predicted, but not
measured). The table that is written has one line for each row: row,found,p_negative,p_neutral,p_positive,valence,
uncertainty,reason - the row's number, not its text. Probabilities are those under `--prior` (uniform; counter: of
`pipeline.fusion`; FILE: TOML with `prior = [negative, neutral, positive]`), which the answer names.
`--readers`: the bag of pieces alone, which every box has, or both readers, as in a box that recognises words; without
it both, where the encoder was fetched (`hailong models fetch --asr`). The answer names which.
`--across` trains on all sources but one and reports that one (`models.training.text_across`).
The measures, each with a 95 % bootstrap interval:

  accuracy, macro_f1        most probable class against the label
  recall                    of each class
  opposite_sign             share of negative and positive sentences that are called the other
  neutral_called_negative   share of neutral sentences
  auc_positive_negative     by valence (P(positive) - P(negative))
  ece                       top-class calibration
  coverage                  accuracy when only the least uncertain share answers
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from models import across, evaluate, metrics
from models.labels import POLARITIES
from models.prior import UNIFORM, Prior, named_prior
from models.text_sentiment import TextSentimentNetwork
from models.text_stack import StackedSentiment, load_stack
from pipeline.errors import ConfigError, ModelError
from pipeline.language import Message
from pipeline.records import Shares, WordsAffect

READERS = ("bag", "both")
COLUMNS = ("row", "found", "p_negative", "p_neutral", "p_positive", "valence", "uncertainty", "reason")


def measure(
    labels: list[str], affects: list[WordsAffect | None], resamples: int = 1000, prior: Prior = UNIFORM
) -> evaluate.Json:
    """The measures under a prior as a table for JSON; empty rows and rows with another label are counted only."""
    pairs = [
        (POLARITIES.index(label), affect)
        for label, affect in zip(labels, affects, strict=True)
        if affect is not None and label in POLARITIES
    ]
    summary: evaluate.Json = {
        "prior": prior.as_json(),
        "n": len(labels),
        "found": sum(affect is not None for affect in affects),
        "measured": len(pairs),
        "other_labels": sum(label not in POLARITIES for label in labels),
        "labels": {name: labels.count(name) for name in POLARITIES if name in labels},
    }
    if not pairs:
        return summary
    true = np.array([label for label, _ in pairs])
    probabilities = np.array([affect.ratios.posterior(_three(prior)) for _, affect in pairs])
    uncertainty = np.array([affect.uncertainty for _, affect in pairs])
    valence = np.array([affect.valence for _, affect in pairs])
    said = probabilities.argmax(axis=1)
    sided = true != 1
    interval = partial(evaluate.interval, resamples=resamples)
    summary["accuracy"] = interval(metrics.accuracy, true, said)
    summary["macro_f1"] = interval(lambda a, b: metrics.macro_f1(a, b, 3), true, said)
    summary["recall"] = {
        name: interval(metrics.accuracy, true[true == index], said[true == index])
        for index, name in enumerate(POLARITIES)
        if (true == index).any()
    }
    if sided.any():
        summary["opposite_sign"] = interval(metrics.accuracy, 2 - true[sided], said[sided])
        summary["auc_positive_negative"] = interval(metrics.auc, true[sided] == 2, valence[sided])
    if not sided.all():
        neutral = said[~sided]
        summary["neutral_called_negative"] = interval(metrics.accuracy, np.zeros_like(neutral), neutral)
    summary["ece"] = interval(metrics.ece, true, probabilities)
    summary["coverage"] = evaluate.coverage(true == said, uncertainty)
    return summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    evaluate.add_arguments(parser, "text,label", "text-sentiment")
    parser.add_argument("--readers", choices=READERS, help="the bag of pieces alone, or both readers")
    parser.add_argument("--counter", type=Path, help="with --across: CSV with text,label of counter talk")
    parser.add_argument("--prior", default="uniform", help="uniform (default), counter, or a TOML file with `prior`")


def _across(args: argparse.Namespace) -> across.Json:
    from models.training.text_across import report

    data, _ = across.folders(args)
    return report(data, args.counter)


def run(args: argparse.Namespace) -> int:
    """Predict every row, write the table, print the measures."""
    if args.across:
        return across.show(lambda: _across(args), args.json)
    prior = named_prior(args.prior)
    index, out = evaluate.index_and_out(args)
    rows = evaluate.read_index(index, ("text", "label"))
    name, network = _readers(args)
    affects = [
        network.infer(row["text"]) if row["text"] else None for row in evaluate.with_progress(rows, "sentences", 1_000)
    ]
    evaluate.write_table(
        out,
        COLUMNS,
        (
            (number, 0, *[""] * 5, "empty text")
            if affect is None
            else (
                number,
                1,
                *affect.ratios.posterior(_three(prior)),
                float(affect.valence),
                float(affect.uncertainty),
                "",
            )
            for number, affect in enumerate(affects, 1)
        ),
    )
    labels = [row["label"].lower() for row in rows]
    evaluate.show({"network": name} | measure(labels, affects, args.resamples, prior), args.json)
    return 0


def _readers(args: argparse.Namespace) -> tuple[str, TextSentimentNetwork | StackedSentiment]:
    """The network asked for and its name; weights of one's own are a bag's."""
    bag = TextSentimentNetwork(evaluate.weights_of("text-sentiment", args.weights))
    if args.readers == "bag" or args.weights:
        return "text-sentiment", bag
    try:
        return "text-stack", load_stack(bag)
    except ModelError:
        if args.readers == "both":
            raise
        return "text-sentiment", bag


def _three(prior: Prior) -> Shares:
    if len(prior.shares) != len(POLARITIES):
        raise ConfigError(Message("The prior of words is of three numbers: negative, neutral, positive."))
    negative, neutral, positive = prior.shares
    return negative, neutral, positive
