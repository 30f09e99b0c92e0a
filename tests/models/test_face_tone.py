"""Recall by apparent skin tone: the angle of known colours, and the groups' measures where they are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.training.face_tone import CHEEKS, GROUPS, of_groups, typology_angle
from pipeline.records import EMOTIONS


@pytest.mark.parametrize(
    ("light", "yellow", "group"),
    [(70.0, 15.0, "light"), (62.0, 18.0, "intermediate"), (55.0, 18.0, "tan"), (38.0, 14.0, "dark")],
)
def test_the_cheeks_decide(light: float, yellow: float, group: str) -> None:
    lab = np.zeros((100, 100, 3), np.float32)
    lab[:] = (5.0, 0.0, 0.0)
    for rows, columns in CHEEKS:
        lab[rows, columns] = (light, 12.0, yellow)
    bgr = np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2BGR) * 255, 0, 255).astype(np.uint8)
    least, under = GROUPS[group]
    assert least <= typology_angle(bgr) < under


def test_the_groups_cover_every_angle_once() -> None:
    for angle in np.linspace(-90, 90, 181):
        assert sum(least <= angle < under for least, under in GROUPS.values()) == 1


def test_measures_by_group() -> None:
    neutral, happy, sad = (EMOTIONS.index(name) for name in ("neutral", "happiness", "sadness"))
    labels = np.array([neutral, happy, sad, sad] * 10)
    said = np.array([neutral, happy, sad, neutral] * 10)
    angles = np.repeat([60.0, 0.0], 20)
    found = of_groups(angles, labels, np.eye(8, dtype=np.float32)[said], resamples=20)
    assert found["light"]["faces"] == found["dark"]["faces"] == 20
    assert found["tan"]["faces"] == 0
    recall = found["dark"]["recall_negative"]
    assert isinstance(recall, dict)
    assert recall["value"] == 0.5
