"""A speaker's own middle as the threshold: how raised a voice is for that voice, learnt from its sound alone.

Voices and recordings differ in where calm lies, and one threshold cannot know that. Where several utterances of one
speaker are at hand, the threshold is moved towards their median, by as much as their number allows:

    threshold_s = n_s / (n_s + PRIOR) * median_s

in units of the score (log-odds), whose threshold is 0 for a speaker nothing is known of. This is the mean of a normal
posterior with a prior worth `PRIOR` utterances at 0 (Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.5), with
the median for the mean. No label is used, but one thing is taken for granted: that the speaker was heard in both states
about as often. Of somebody who was calm throughout, half would be called raised.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.visit import WORTH_OF_PRIOR

PRIOR = WORTH_OF_PRIOR
"""Utterances that the common threshold is worth."""


def own_middles(scores: NDArray[np.floating], speakers: NDArray[np.str_], prior: float = PRIOR) -> NDArray[np.float64]:
    """The threshold of each row, float64 [n]; 0 where the speaker is not named.

    Args:
        scores: float [n], log-odds, all utterances of the speakers that are at hand.
        speakers: str [n]; "" is nobody in particular.
    """
    middles = np.zeros(len(scores))
    for name in np.unique(speakers):
        rows = speakers == name
        if name:
            middles[rows] = np.median(scores[rows]) * rows.sum() / (rows.sum() + prior)
    return middles
