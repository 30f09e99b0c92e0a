"""Likelihoods: the training's shares are taken out by Bayes' rule, and a stated prior comes in once."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.face_affect import FaceAffects, uncertainty_of
from models.fer_network import CALIBRATION
from models.likelihoods import GROUPS, Calibration, posterior, ratios
from models.prior import Prior, named_prior
from pipeline.errors import ConfigError, ModelError
from pipeline.fusion import FusionParameters
from pipeline.records import EMOTIONS, EVEN, LogRatios, WordsAffect

SHARES = (0.37, 0.26, 0.12, 0.12, 0.09, 0.01, 0.02, 0.01)
rows = st.lists(st.floats(0.001, 1), min_size=8, max_size=8)


def table(*rows: list[float]) -> np.ndarray:
    found = np.array(rows, np.float32)
    return np.asarray(found / found.sum(1, keepdims=True))


def test_what_says_no_more_than_the_training_shares_says_nothing() -> None:
    """A face of which the network knows nothing gets the training's shares, and they must not speak."""
    (of_three,) = ratios(Calibration(SHARES).likelihoods(table(list(SHARES))))
    assert (of_three.negative, of_three.positive) == pytest.approx((0.0, 0.0), abs=1e-5)


@given(rows)
def test_the_ratio_is_posterior_odds_over_prior_odds(row: list[float]) -> None:
    probabilities = table(row)
    (of_three,) = ratios(Calibration(SHARES).likelihoods(probabilities))
    seen, before = (probabilities @ GROUPS)[0], np.array(SHARES) @ GROUPS
    assert of_three.negative == pytest.approx(math.log(seen[0] / seen[1] * before[1] / before[0]), abs=1e-3)
    assert of_three.positive == pytest.approx(math.log(seen[2] / seen[1] * before[1] / before[2]), abs=1e-3)


@given(rows)
def test_the_training_shares_put_back_give_the_network_again(row: list[float]) -> None:
    probabilities = table(row)
    likelihoods = Calibration(SHARES).likelihoods(probabilities)
    again = posterior(likelihoods, tuple(np.array(SHARES) @ GROUPS @ GROUPS.T))
    np.testing.assert_allclose(again, probabilities, atol=2e-5)


@given(rows, st.floats(1.01, 5))
def test_a_temperature_doubts_and_reorders_nothing(row: list[float], temperature: float) -> None:
    cool, warm = (Calibration(SHARES, each).likelihoods(table(row)) for each in (1.0, temperature))
    assert warm.max() <= cool.max() + 1e-6
    assert cool[0, warm.argmax()] == pytest.approx(cool.max(), abs=1e-5)


@given(rows, st.floats(0.02, 0.9))
def test_a_prior_of_three_is_the_record_s_own_posterior(row: list[float], neutral: float) -> None:
    """What `models eval face --prior` shows, and what the fusion computes, are one formula."""
    prior = (0.4 * (1 - neutral), neutral, 0.6 * (1 - neutral))
    likelihoods = table(row)
    shown = (posterior(likelihoods, prior) @ GROUPS)[0, :3]
    (of_three,) = ratios(likelihoods)
    np.testing.assert_allclose(shown / shown.sum(), of_three.posterior(prior), atol=1e-4)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.01, 5))
def test_posterior_is_monotone_and_no_evidence_is_the_prior(negative: float, positive: float, more: float) -> None:
    prior = (0.1, 0.75, 0.15)
    assert LogRatios().posterior(prior) == pytest.approx(prior)
    before, after = (LogRatios(each, positive).posterior(prior) for each in (negative, negative + more))
    assert sum(before) == pytest.approx(1)
    assert after[0] >= before[0]
    assert after[1] <= before[1] + 1e-12


def test_who_is_read_beside_a_face_changes_no_bit_of_it() -> None:
    rng = np.random.default_rng(16)
    faces = rng.dirichlet(np.full(len(EMOTIONS), 0.3), 2_000).astype(np.float32)
    usable = rng.uniform(0, 1, len(faces)).astype(np.float32)
    alone = [FaceAffects(faces[[at]], uncertainty_of(faces[[at]], usable[[at]])).records()[0] for at in range(2_000)]
    for count in (2, 3, 4):
        for start in range(0, 2_000 - count, count):
            part = slice(start, start + count)
            beside = FaceAffects(faces[part], uncertainty_of(faces[part], usable[part])).records()
            for one, other in zip(alone[part], beside, strict=True):
                assert (one.ratios, one.uncertainty) == (other.ratios, other.uncertainty)


def test_words_take_their_training_shares_out() -> None:
    said = WordsAffect.of((0.5, 0.3, 0.2), 0.9, shares=(0.5, 0.3, 0.2))
    assert (said.ratios.negative, said.ratios.positive) == pytest.approx((0, 0))
    assert WordsAffect.of((0.5, 0.3, 0.2), 0.9).ratios.posterior() == pytest.approx((0.5, 0.3, 0.2))


def test_fer_s_network_is_freed_of_its_shares_too() -> None:
    assert sum(CALIBRATION.shares) == pytest.approx(1)
    assert CALIBRATION.shares[EMOTIONS.index("contempt")] == 0
    assert np.isfinite(CALIBRATION.likelihoods(table(list(CALIBRATION.shares)))).all()


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"class_shares": "0.5,0.5", "temperature": "1"},
        {"class_shares": ",".join(["0.2"] * 8), "temperature": "1"},
        {"class_shares": "0.125," * 7 + "x", "temperature": "1"},
        {"class_shares": ",".join(["0.125"] * 8), "temperature": "0"},
        {"class_shares": ",".join(["0.125"] * 8)},
    ],
)
def test_weights_that_do_not_say_their_shares_are_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(ModelError):
        Calibration.of_metadata(metadata)


def test_metadata_comes_back() -> None:
    calibration = Calibration(tuple(np.round(SHARES, 5)), 1.3)
    assert Calibration.of_metadata(calibration.as_metadata()) == calibration


def test_named_priors(tmp_path: Path) -> None:
    assert named_prior("uniform").shares == EVEN
    assert named_prior("counter").shares == FusionParameters().prior
    path = tmp_path / "fusion.toml"
    path.write_text("prior = [0.2, 0.7, 0.1]\nminimum_visit_s = 3\n")
    assert named_prior(str(path)) == Prior("fusion.toml", (0.2, 0.7, 0.1))
    path.write_text("prior = " + str([0.125] * 8))
    assert len(named_prior(str(path)).as_json()) == 9


@pytest.mark.parametrize(
    "text",
    ["", "prior = 1", "prior = [0.5, 0.5]", "prior = [0.5, 0.6, 0.1]", "prior = [0, 0.9, 0.1]", 'prior = ["a"]', "="],
)
def test_wrong_priors_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prior.toml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        named_prior(str(path))


def test_a_prior_that_is_not_there_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        named_prior(str(tmp_path / "nothing.toml"))
    assert "counter" in str(caught.value.remedy if hasattr(caught.value, "remedy") else caught.value)
