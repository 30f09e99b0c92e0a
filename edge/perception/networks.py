"""The networks of a box, loaded once from this project's weights and from the cache that `hailong models fetch`
filled.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from models.catalogue import card, check_licence, model_files
from models.face_affect import FaceAffectNetwork
from models.face_detect import FaceDetector
from models.face_geometry import FaceGeometry
from models.face_landmarks import FaceLandmarks
from models.fer_network import AffectNetwork, FerNetwork
from models.prosody import ProsodicArousal, SpeechNetwork
from models.runtime import OnnxNetwork
from models.vad import VoiceActivity
from models.words import WordsReader
from pipeline.errors import ModelError
from pipeline.language import Message

FACE_NETWORKS = ("face-affect", "fer", "face-geometry")
"""Readers of a face's affect, the preferred one first; the last one needs no licence to be accepted."""


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Which networks to load and under which licences.

    `accepted`: names of restrictions that the operator accepts; `demo`: research-only weights are allowed (and said
    so); `asr`: words too; `face`: one of `FACE_NETWORKS`."""

    accepted: tuple[str, ...] = ()
    demo: bool = False
    asr: bool = False
    face: str = "face-affect"


@dataclass(slots=True)
class Eyes:
    """What looks at pictures: one set of networks, which one picture at a time has. Whoever uses them holds `lock`.

    Nothing is followed or kept in them from one picture to the next, so counters may take turns: what a network still
    holds of a picture is written over by the next one, or by `forget`."""

    far: FaceDetector
    near: FaceDetector
    landmarks: FaceLandmarks
    face: AffectNetwork
    lock: threading.RLock = field(default_factory=threading.RLock)

    def forget(self) -> None:
        """Keep nothing of a visit in buffers and in the networks' own memory."""
        nobody = np.zeros((8, 8, 3), np.uint8)
        with self.lock:
            for network in (self.far, self.near, self.landmarks):
                network.forget()
            self.face.infer([self.face.crop(nobody, np.zeros((6, 2), np.float32))])


@dataclass(slots=True)
class Networks:
    """All networks of one engine. The engines of a hall share them, but for the ear: which voice was heard before, is
    kept in it (`for_counter`)."""

    eyes: Eyes
    voice: VoiceActivity
    speech: SpeechNetwork
    words: WordsReader | None = None
    notices: tuple[str, ...] = ()
    """What has to be said about licences."""
    digests: dict[str, bytes] = field(default_factory=dict)
    """SHA-256 of every file in use, for the transparency log: `model/file` to 32 bytes."""
    provider: int = 0
    """As the heartbeat tells it: 0 CPU, 1 GPU. Each network asserts that it really runs there."""
    more_eyes: tuple[Eyes, ...] = ()
    """Of a hall's other workers: each may have looked at this counter."""

    @property
    def all_eyes(self) -> tuple[Eyes, ...]:
        """One for each worker that looks."""
        return (self.eyes, *self.more_eyes)

    def forget(self) -> None:
        """Keep nothing of the last visit in buffers and in the networks' own memory."""
        for eyes in self.all_eyes:
            eyes.forget()
        self.voice.reset()

    def for_counter(self) -> Networks:
        """The same for another counter, with an ear of its own."""
        return replace(self, voice=self.voice.another())


def speech_is_accepted(options: NetworkOptions) -> bool:
    """Whether the speech network's restriction is accepted; where it is not, arousal is estimated from prosody."""
    restriction = card("speech-affect").restriction
    return options.demo or not restriction or restriction in options.accepted


def needed_models(options: NetworkOptions) -> tuple[str, ...]:
    """Names of the models that `load_networks` will load."""
    if options.face not in FACE_NETWORKS:
        raise ModelError(
            Message("{face} is not a network of faces' affect.", face=options.face),
            Message("There are: {face_networks}.", face_networks=", ".join(FACE_NETWORKS)),
        )
    names = ["face-detector-far", "face-detector-near", "face-landmarks", options.face, "voice-activity"]
    if speech_is_accepted(options):
        names.append("speech-affect")
    if options.asr:
        names += ["whisper-base", "text-sentiment", "text-encoder", "text-stack"]
    return tuple(names)


def load_networks(options: NetworkOptions, workers: int = 1) -> Networks:
    """Check licences and files of all, then load; raises `ModelError` naming what is wrong and the command that
    mends it. `workers`: how many look at the same time; each gets eyes of its own."""
    import cv2

    # small pictures: handing them to a pool of threads costs more than the work, most of all on a busy box
    cv2.setNumThreads(1)
    names = needed_models(options)
    notices = tuple(note for name in names if (note := check_licence(card(name), options.accepted, options.demo)))
    if not speech_is_accepted(options):
        restriction = card("speech-affect").restriction
        notices += (
            Message(
                "{model}: {terms} is not accepted; voices are read by plain prosody, without valence.",
                model=Message.marked(card("speech-affect").called),
                terms=restriction,
            ),
        )
    paths = {name: model_files(name) for name in names}

    def first(name: str, ending: str) -> Path:
        return next(path for file, path in paths[name].items() if file.endswith(ending))

    def make_eyes() -> Eyes:
        face: AffectNetwork
        if options.face == "fer":
            face = FerNetwork(OnnxNetwork(first("fer", ".onnx")))
        elif options.face == "face-geometry":
            face = FaceGeometry(first("face-geometry", ".toml"))
        else:
            face = FaceAffectNetwork(first("face-affect", ".onnx"))
        return Eyes(
            FaceDetector(first("face-detector-far", ".tflite")),
            FaceDetector(first("face-detector-near", ".tflite")),
            FaceLandmarks(first("face-landmarks", ".tflite")),
            face,
        )

    speech: SpeechNetwork = ProsodicArousal()
    if "speech-affect" in names:
        from models.speech_affect import SpeechAffectNetwork

        speech = SpeechAffectNetwork(first("speech-affect", ".onnx"))
    words = None
    if options.asr:
        from models.text_sentiment import TextSentimentNetwork
        from models.text_stack import load_stack

        sentiment = load_stack(TextSentimentNetwork(first("text-sentiment", ".onnx")))
        words = WordsReader(first("whisper-base", "model.bin").parent, sentiment)
    return Networks(
        make_eyes(),
        VoiceActivity(OnnxNetwork(first("voice-activity", ".onnx"))),
        speech,
        words,
        notices,
        {f"{name}/{file.name}": bytes.fromhex(file.sha256) for name in names for file in card(name).files},
        more_eyes=tuple(make_eyes() for _ in range(workers - 1)),
    )
