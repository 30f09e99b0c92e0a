"""Means, totals and ratios of staged samples, plain and raked: equal to R's survey package to 1e-6."""

from __future__ import annotations

import csv
import functools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from calibration.design import Design
from calibration.raking import Margin, Raked, rake
from calibration.stages import Stage, stage_variance, survey_mean, survey_ratio, survey_total
from pipeline.errors import StatisticsError
from tests.calibration.survey_design import AGES, SEXES, Survey, make_survey

HERE = Path(__file__).parent
R_GOLDEN: dict[str, float] = {
    "one.mean": 81.079809071,
    "one.mean.se": 1.14133021827,
    "one.deff": 1.1447792802,
    "one.total": 127903.39881,
    "one.total.se": 9693.64511343,
    "one.ratio": 0.74463586705,
    "one.ratio.se": 0.0412337227572,
    "one.raked.weight": 80.3897327839,
    "one.raked.mean.rake": 81.0217025833,
    "one.raked.mean": 81.0217025833,
    "one.raked.mean.se": 1.29659248404,
    "one.raked.share": 0.71695260186,
    "one.raked.share.se": 0.0309484405135,
    "one.raked.total": 243065.10775,
    "one.raked.total.se": 3889.77745211,
    "one.raked.ratio": 0.750799463366,
    "one.raked.ratio.se": 0.0430378220154,
    "one.degf": 21,
    "two.mean": 81.079809071,
    "two.mean.se": 1.29756882621,
    "two.deff": 1.47965319005,
    "two.total": 127903.39881,
    "two.total.se": 9742.43303126,
    "two.ratio": 0.74463586705,
    "two.ratio.se": 0.0471509350039,
    "two.raked.weight": 80.3897327839,
    "two.raked.mean.rake": 81.0217025833,
    "two.raked.mean": 81.0217025833,
    "two.raked.mean.se": 1.43892901691,
    "two.raked.share": 0.71695260186,
    "two.raked.share.se": 0.0386306712717,
    "two.raked.total": 243065.10775,
    "two.raked.total.se": 4316.78705074,
    "two.raked.ratio": 0.750799463366,
    "two.raked.ratio.se": 0.0485997488043,
    "two.degf": 21,
    "loose.mean": 81.079809071,
    "loose.mean.se": 1.34933722682,
    "loose.deff": 1.60007423824,
    "loose.total": 127903.39881,
    "loose.total.se": 11139.2831943,
    "loose.ratio": 0.74463586705,
    "loose.ratio.se": 0.0475348783877,
    "loose.raked.weight": 80.3897327839,
    "loose.raked.mean.rake": 81.0217025833,
    "loose.raked.mean": 81.0217025833,
    "loose.raked.mean.se": 1.52515331756,
    "loose.raked.share": 0.71695260186,
    "loose.raked.share.se": 0.0370182304325,
    "loose.raked.total": 243065.10775,
    "loose.raked.total.se": 4575.45995268,
    "loose.raked.ratio": 0.750799463366,
    "loose.raked.ratio.se": 0.0498076744431,
    "loose.degf": 21,
    "even.mean": 80.0508474576,
    "even.mean.se": 1.09625510629,
    "even.deff": 1.05773274958,
    "even.total": 236150,
    "even.total.se": 13550.7445763,
    "even.ratio": 0.740425531915,
    "even.ratio.se": 0.0329233918731,
    "even.raked.weight": 34.5874052777,
    "even.raked.mean.rake": 80.0007605964,
    "even.raked.share.rake": 0.72422188085,
    "even.raked.share.rake.se": 0.0309207098878,
    "even.raked.mean": 80.0007605964,
    "even.raked.mean.se": 1.20022462333,
    "even.raked.share": 0.72422188085,
    "even.raked.share.se": 0.0309207098878,
    "even.raked.total": 240002.281789,
    "even.raked.total.se": 3600.67386999,
    "even.raked.ratio": 0.748769941583,
    "even.raked.ratio.se": 0.0351833195114,
    "even.degf": 21,
}
"""Printed by `survey_golden.R` (R 4.2.2, survey 4.1-1)."""


def stages(survey: Survey, design: str) -> list[Stage]:
    person = np.arange(len(survey.cluster))
    first = 8 / survey.in_stratum if design in ("one", "two") else 0.0
    found = [Stage.of(survey.cluster, survey.stratum, first)]
    if design == "two":
        found.append(Stage.of(person, None, survey.size / survey.in_cluster))
    return found


def raked(survey: Survey, weight: np.ndarray) -> Raked:
    return rake([Margin.of("age", survey.age, AGES), Margin.of("sex", survey.sex, SEXES)], weight, cap=1e6)


def ours() -> dict[str, float]:
    """The same figures as `survey_golden.R` prints."""
    survey, people = make_survey(), sum(AGES.values())
    good = survey.satisfied * survey.asked
    found: dict[str, float] = {}
    for name in ("one", "two", "loose", "even"):
        drawn = stages(survey, name)
        weight = survey.weight if name != "even" else np.full(len(good), 25.0)
        mean = survey_mean(survey.score, weight, drawn)
        found |= _both(f"{name}.mean", mean.estimate, mean.error)
        found[f"{name}.deff"] = float(mean.design_effect[0])
        total = survey_total(survey.score, weight, drawn)
        found |= _both(f"{name}.total", total.estimate, total.error)
        ratio = survey_ratio(good, survey.asked, weight, drawn)
        found |= _both(f"{name}.ratio", ratio.estimate, ratio.error)
        with_margins = raked(survey, weight)
        mean = survey_mean(np.stack([survey.score, survey.satisfied], 1), weight, drawn, with_margins)
        found |= _both(f"{name}.raked.mean", mean.estimate[:1], mean.error[:1])
        found[f"{name}.raked.mean.rake"] = float(mean.estimate[0])
        found |= _both(f"{name}.raked.share", mean.estimate[1:], mean.error[1:])
        if name == "even":
            found |= _both(f"{name}.raked.share.rake", mean.estimate[1:], mean.error[1:])
        # R's raked weights add up to the margins' people, ours to the base weights
        scale = people / with_margins.weight.sum()
        total = survey_total(survey.score, weight, drawn, with_margins)
        found |= _both(f"{name}.raked.total", scale * total.estimate, scale * total.error)
        ratio = survey_ratio(good, survey.asked, weight, drawn, with_margins)
        found |= _both(f"{name}.raked.ratio", ratio.estimate, ratio.error)
        found[f"{name}.raked.weight"] = float(scale * with_margins.weight.max())
        found[f"{name}.degf"] = float(mean.degrees)
    return found


def _both(name: str, estimate: np.ndarray, error: np.ndarray) -> dict[str, float]:
    return {name: float(estimate[0]), f"{name}.se": float(error[0])}


def test_every_figure_is_that_of_r() -> None:
    found = ours()
    assert found.keys() == R_GOLDEN.keys()
    for name, value in R_GOLDEN.items():
        assert found[name] == pytest.approx(value, rel=1e-6), name


@functools.cache
def _without_r() -> str:
    """Why R's figures cannot be had here; empty where they can."""
    if shutil.which("Rscript") is None:
        return "R is not installed"
    probe = ["Rscript", "-e", "if (!requireNamespace('survey', quietly = TRUE)) quit(status = 9)"]
    found = subprocess.run(probe, check=False, capture_output=True, timeout=120)
    return "R has no package 'survey'" if found.returncode else ""


def _r(script: str, argument: Path) -> dict[str, float]:
    """What an R script prints. Skips where R or its survey package is not installed."""
    if _without_r():
        pytest.skip(_without_r())
    command = ["Rscript", str(HERE / script), str(argument)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return {name: float(value) for name, value in (line.split("=") for line in done.stdout.split())}


def test_the_golden_figures_are_those_of_the_r_that_is_here(tmp_path: Path) -> None:
    survey = make_survey()
    path = tmp_path / "survey.csv"
    names = ("stratum", "cluster", "in_stratum", "in_cluster", "weight", "score", "satisfied", "asked", "age", "sex")
    columns = [getattr(survey, name).tolist() for name in names]
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([*names, "good", "person"])
        for number, row in enumerate(zip(*columns, strict=True)):
            writer.writerow([*map(repr, row[:8]), *row[8:], row[6] * row[7], number])
    for name, value in _r("survey_golden.R", path).items():
        assert R_GOLDEN[name] == pytest.approx(value, rel=1e-9), name


def test_the_schools_of_r_come_out_alike(tmp_path: Path) -> None:
    """apistrat, apiclus1, apiclus2: R's data sets, which stay in R."""
    wanted = _r("survey_api.R", tmp_path)
    for name in ("apistrat", "apiclus1", "apiclus2"):
        with (tmp_path / f"{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        weight, f1, f2 = (np.array([float(row[c]) for row in rows]) for c in ("w", "f1", "f2"))
        s, c1, c2, school, wide = (np.array([row[c] for row in rows]) for c in ("s", "c1", "c2", "stype", "wide"))
        drawn = [len(np.unique(c1[s == one])) for one in s]
        design = [Stage.of(c1, s, np.array(drawn) / f1)]
        if name == "apiclus2":
            within = np.array([(c1 == one).sum() for one in c1])
            design.append(Stage.of(c2, None, within / f2))
        score, shares = np.array([float(row["api00"]) for row in rows]), wide.astype(np.float64)
        mean = survey_mean(np.stack([score, shares], 1), weight, design)
        found = {f"{name}.mean": mean.estimate[0], f"{name}.mean.se": mean.error[0]}
        found |= {f"{name}.share": mean.estimate[1], f"{name}.share.se": mean.error[1]}
        found[f"{name}.deff"] = mean.design_effect[0]
        total = survey_total(score, weight, design)
        found |= {f"{name}.total": total.estimate[0], f"{name}.total.se": total.error[0]}
        # schools without both numbers are outside of the domain: they add nothing
        known = np.array([bool(row["enroll"]) and bool(row["api.stu"]) for row in rows])
        pupils, tested = (np.array([float(row[c] or 0) for row in rows]) * known for c in ("enroll", "api.stu"))
        ratio = survey_ratio(tested, pupils, weight, design)
        found |= {f"{name}.ratio": ratio.estimate[0], f"{name}.ratio.se": ratio.error[0]}
        margins = [
            Margin.of("stype", school, {"E": 4421, "H": 755, "M": 1018}),
            Margin.of("wide", wide, {"0": 1072, "1": 5122}),
        ]
        weights = rake(margins, weight, cap=1e6)
        mean = survey_mean(score, weight, design, weights)
        found |= {f"{name}.raked": mean.estimate[0], f"{name}.raked.se": mean.error[0]}
        found[f"{name}.raked.weight"] = weights.weight.max() / weights.weight.sum()
        if name == "apiclus1":
            found |= {f"{name}.raked.rake": mean.estimate[0], f"{name}.raked.rake.se": mean.error[0]}
        assert found.keys() == {figure for figure in wanted if figure.startswith(name)}
        for figure, value in found.items():
            assert value == pytest.approx(wanted[figure], rel=1e-6), figure


def test_the_index_uses_the_same_variance_between_days() -> None:
    """`Design.variance`, which every index rests on, is the first stage drawn with replacement."""
    survey = make_survey()
    z = survey.weight[:, None] * (survey.score - survey.score.mean())[:, None]
    alike = Design(survey.cluster, survey.stratum).variance(z)[0]
    np.testing.assert_allclose(alike, stage_variance(z, [Stage.of(survey.cluster, survey.stratum)]), rtol=1e-12)


def test_everything_drawn_leaves_nothing_to_chance() -> None:
    survey = make_survey()
    person = np.arange(len(survey.cluster))
    whole = [Stage.of(survey.cluster, survey.stratum, 1.0), Stage.of(person, None, 1.0)]
    assert survey_mean(survey.score, survey.weight, whole).error[0] == 0
    # all clusters, some of their people: only the second stage is left, and only the first where all people are
    second = [Stage.of(survey.cluster, survey.stratum, 1.0), Stage.of(person, None, 0.5)]
    assert survey_mean(survey.score, survey.weight, second).error[0] > 0


def test_three_stages_by_hand() -> None:
    """Two of four communes, two of five villages in each, two of ten households in each: the sum of three terms."""
    commune, village, person = np.repeat([0, 1], 4), np.tile(np.repeat([0, 1], 2), 2), np.tile([0, 1], 4)
    y = np.array([1.0, 4, 2, 2, 7, 9, 3, 8])
    z = (4 / 2 * 5 / 2 * 10 / 2) * y
    drawn = [Stage.of(commune, None, 0.5), Stage.of(village, None, 0.4), Stage.of(person, None, 0.2)]

    def term(totals: list[float], left: float) -> float:
        return float(len(totals) / (len(totals) - 1) * sum((t - np.mean(totals)) ** 2 for t in totals) * left)

    first = term([z[:4].sum(), z[4:].sum()], 0.5)
    villages = [[z[0:2].sum(), z[2:4].sum()], [z[4:6].sum(), z[6:8].sum()]]
    second = 0.5 * sum(term(pair, 0.6) for pair in villages)
    third = 0.5 * 0.4 * sum(term([z[i], z[i + 1]], 0.8) for i in (0, 2, 4, 6))
    assert stage_variance(z[:, None], drawn)[0] == pytest.approx(first + second + third)


@pytest.mark.parametrize(
    ("values", "weight", "fraction"),
    [
        (np.ones(3), np.ones(2), 0.0),
        (np.ones(3), -np.ones(3), 0.0),
        (np.ones(3), np.zeros(3), 0.0),
        (np.ones(3), np.ones(3), 1.5),
        (np.ones(0), np.ones(0), 0.0),
    ],
    ids=["weights missing", "negative weights", "nothing weighs", "more drawn than there is", "nothing"],
)
def test_bad_input_is_refused(values: np.ndarray, weight: np.ndarray, fraction: float) -> None:
    with pytest.raises(StatisticsError):
        survey_mean(values, weight, [Stage.of(np.arange(len(values)), None, fraction)])
    with pytest.raises(StatisticsError):
        survey_ratio(np.ones(2), np.zeros(2), np.ones(2), [Stage.of(np.arange(2))])
