"""Which networks an engine gets: by the licences that are accepted, named for the transparency log."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.perception.networks import NetworkOptions, load_networks, needed_models
from models.face_affect import ABSTAIN_ABOVE
from models.prosody import ProsodicArousal
from models.speech_affect import SpeechAffectNetwork
from pipeline.errors import ModelError
from pipeline.fusion import FusionParameters
from pipeline.records import Level
from tests.edge.perception.test_engine import HAPPY, SETTINGS, Counter


def test_restricted_weights_are_refused_without_acceptance() -> None:
    with pytest.raises(ModelError, match="fer2013-rafdb-research-only"):
        load_networks(NetworkOptions())
    face_only = load_networks(NetworkOptions(accepted=("fer2013-research-only",), face="fer"))
    assert isinstance(face_only.speech, ProsodicArousal)
    assert [notice for notice in face_only.notices if "acted-speech-non-commercial is not accepted" in notice]
    both = load_networks(NetworkOptions(accepted=("fer2013-rafdb-research-only", "acted-speech-non-commercial")))
    assert both.notices == ()
    assert isinstance(both.speech, SpeechAffectNetwork)
    assert all(len(digest) == 32 for digest in both.digests.values())
    with pytest.raises(ModelError, match="not a network"):
        needed_models(NetworkOptions(face="nobody"))


def test_the_fusion_ignores_the_faces_that_the_network_abstains_from() -> None:
    assert FusionParameters().face.uncertainty_limit == ABSTAIN_ABOVE


def test_a_box_without_any_licence_accepted_reads_faces_by_their_landmarks() -> None:
    """No restricted weights are loaded, and what is loaded is named for the transparency log."""
    with pytest.raises(ModelError) as refused:
        load_networks(NetworkOptions())
    assert "face-geometry" in str(refused.value.fix)
    networks = load_networks(NetworkOptions(face="face-geometry"))
    assert "face-geometry/face_geometry.toml" in networks.digests
    assert not any(name.startswith(("face-affect", "fer/")) for name in networks.digests)
    counter = Counter(networks, replace(SETTINGS, fusion=SETTINGS.fusion.by_geometry()))
    counter.show(8.0, HAPPY).show(3.0)
    (closed,) = counter.visits
    assert closed.level in set(Level)
