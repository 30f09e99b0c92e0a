"""A small survey in two stages by plain arithmetic, so that R (`survey_golden.R`) and Python make the same one: no
data set of others, no generator of random numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
CLUSTERS_OF_STRATUM = (20.0, 40.0, 15.0)
AGES = {"young": 900.0, "middle": 1500.0, "old": 600.0}
SEXES = {"f": 1600.0, "m": 1400.0}


@dataclass(frozen=True, slots=True)
class Survey:
    """24 clusters of 3 to 7 people, 8 in each of three strata. `in_stratum`, `in_cluster`: how many there are to draw
    from. `satisfied`: 0 or 1."""

    stratum: IntArray
    cluster: IntArray
    in_stratum: FloatArray
    in_cluster: FloatArray
    size: FloatArray
    weight: FloatArray
    score: FloatArray
    satisfied: FloatArray
    asked: FloatArray
    age: NDArray[np.str_]
    sex: NDArray[np.str_]


def make_survey() -> Survey:
    """Always the same."""
    sizes = 3 + np.arange(24) % 5
    cluster = np.repeat(np.arange(24), sizes)
    i = np.arange(len(cluster))
    stratum = cluster % 3
    in_stratum = np.array(CLUSTERS_OF_STRATUM)[stratum]
    in_cluster = (10 + (7 * cluster) % 23).astype(np.float64)
    size = sizes[cluster].astype(np.float64)
    age = np.array(["young", "middle", "old"])[(7 * i + cluster) % 3 * ((i % 11) > 2) + (i % 11 <= 2) * 1]
    sex = np.where((5 * i // 3 + cluster) % 2 == 0, "f", "m")
    return Survey(
        stratum=stratum,
        cluster=cluster,
        in_stratum=in_stratum,
        in_cluster=in_cluster,
        size=size,
        weight=in_stratum / 8 * in_cluster / size,
        score=(60 + (17 * i * i + 29 * cluster) % 41).astype(np.float64),
        satisfied=((3 * i + 5 * cluster + (age == "old") * 2) % 7 > 1).astype(np.float64),
        asked=(1 + i % 3).astype(np.float64),
        age=age,
        sex=sex,
    )
