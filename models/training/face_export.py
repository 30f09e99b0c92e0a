"""Calibrate a trained face network on the validation votes, and write it as one ONNX file.

`python -m models.training.face_export --data FOLDER --run RUN/face.pt --out models/weights/face_affect.onnx`

The graph takes float [n, 48, 48] in 0..255 and gives `logits` [n, 9]: eight emotions, and whether a person would name
any. Left and right say the same, so a photograph's face is read twice, as it is and mirrored, and the logits are
averaged; in a visit the readings take turns (`models.face_affect`, decision 0246). Weights and activations are
quantised (weights to 7 bits, so that processors without dot-product instructions do not saturate), scaled on 384
augmented training faces; the first convolution and the head stay in floating point. Short cuts' average pooling becomes
part of their convolution, which is the same sum.

Calibration: one temperature and one offset for each class (vector scaling with a shared slope; Guo et al. 2017,
section 4.2), fitted to the quantised network's logits and the majority labels of the validation split, and with
`--cache` to RAF-DB's held-out faces too, with a small pull towards zero offsets. Sources differ in the shares of their
classes: each is fitted at its own, and the offsets are what they have in common. Slope, offsets and the mean of the
shares stand in the graph's metadata, so that the shares can be taken out again (`models.likelihoods`); `--temperature`
is what a source that none of this has seen needs beyond (`hailong models eval face --across`)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from scipy.optimize import minimize
from torch import Tensor, nn

from models.face_affect import FaceAffectNetwork
from models.likelihoods import Calibration
from models.training.face import RARE, predict, softmax
from models.training.face_augment import augment
from models.training.face_data import EMOTION_COUNT, load_split
from models.training.face_measure import measure
from models.training.face_network import FaceNetwork, Residual
from models.training.face_rafdb import held_out, load_rafdb
from models.training.face_sources import FERPLUS, RAFDB
from pipeline.language.parser import Parser

OFFSET_PULL = 0.02
RARE_LIFT = 0.25
"""Added to the offsets of disgust, fear and contempt: that they are 1 to 3 % of the faces is an accident of a web
search, and on FER+ valid the lift costs no accuracy and gives two points of UAR."""
QUANTISING_FACES = 384


def pooling_in_convolutions(network: FaceNetwork) -> FaceNetwork:
    """A copy whose short cuts average and mix channels in one convolution of stride 2: the same sum, and a quarter of
    the graph's time less than ONNX Runtime's 8-bit average pooling."""
    copied = deepcopy(network)
    for block in copied.modules():
        if isinstance(block, Residual) and isinstance(block.shortcut, nn.Sequential):
            pool, mix, norm = block.shortcut
            assert isinstance(pool, nn.AvgPool2d)
            assert isinstance(mix, nn.Conv2d)
            side = int(pool.kernel_size)
            joined = nn.Conv2d(mix.in_channels, mix.out_channels, side, side, bias=False)
            joined.weight.data = (mix.weight.data / side**2).expand(-1, -1, side, side).contiguous()
            block.shortcut = nn.Sequential(joined, norm)
    return copied


class Exported(nn.Module):
    """float [n, 48, 48] in 0..255 -> logits [n, 9]. A list of one, as `models.training.face_unfold` reads names."""

    def __init__(self, network: FaceNetwork) -> None:
        super().__init__()
        self.networks = nn.ModuleList([pooling_in_convolutions(network)])

    def forward(self, faces: Tensor) -> Tensor:
        """One reading of each face."""
        return torch.as_tensor(self.networks[0](faces.unsqueeze(1)))


class _Faces(CalibrationDataReader):
    """Augmented training faces by which the activations' ranges are set."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        rng = np.random.default_rng(0)
        chosen = rng.choice(len(images), QUANTISING_FACES, replace=False)
        faces = np.stack([augment(images[row], rng) for row in chosen]).astype(np.float32)
        self._batches = iter(np.split(faces, QUANTISING_FACES // 32))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next batch, or None."""
        faces = next(self._batches, None)
        return None if faces is None else {"faces": faces}


def write_graph(network: FaceNetwork, images: NDArray[np.uint8], out: Path) -> None:
    """Export, quantise, write."""
    with tempfile.TemporaryDirectory() as folder:
        whole, prepared = Path(folder) / "whole.onnx", Path(folder) / "prepared.onnx"
        torch.onnx.export(
            Exported(network).eval(),
            (torch.zeros(2, 48, 48),),
            str(whole),
            dynamo=False,
            opset_version=17,
            input_names=["faces"],
            output_names=["logits"],
            dynamic_axes={name: {0: "n"} for name in ("faces", "logits")},
        )
        quant_pre_process(str(whole), str(prepared))
        graph = onnx.load(prepared).graph
        grey = {table.name for table in graph.initializer if len(table.dims) == 4 and table.dims[1] == 1}
        first = [node.name for node in graph.node if node.op_type == "Conv" and node.input[1] in grey]
        out.parent.mkdir(parents=True, exist_ok=True)
        quantize_static(
            str(prepared),
            str(out),
            _Faces(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Add", "Relu"],
            nodes_to_exclude=first,
        )


def write_metadata(path: Path, calibration: Calibration, trained_on: str) -> None:
    """Write into a graph's metadata how it is calibrated, and what it was trained on."""
    written = onnx.load(path)
    for key, value in (calibration.as_metadata() | {"trained_on": trained_on}).items():
        written.metadata_props.add(key=key, value=value)
    onnx.save(written, path)


def run_graph(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits [n, 8] of a written graph, means of each face and its mirror image; one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    sides = [
        [
            session.run(["logits"], {"faces": np.ascontiguousarray(part, np.float32)})[0]
            for part in (faces[start : start + 64] for start in range(0, len(faces), 64))
        ]
        for faces in (images, images[:, :, ::-1])
    ]
    return np.asarray(np.mean([np.concatenate(side) for side in sides], axis=0)[:, :EMOTION_COUNT], np.float32)


Source = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Logits [n, 8] and labels [n] of one source (-1: left out)."""


def shares_of(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares of the eight classes among labels, none of them 0."""
    counts = np.bincount(labels[labels >= 0], minlength=EMOTION_COUNT) + 0.5
    return np.asarray(counts / counts.sum(), np.float64)


def fit_calibration(sources: Sequence[Source]) -> NDArray[np.float64]:
    """(slope, eight offsets) that minimise the mean log loss of labels over the sources, each at its own shares.

    The offsets are given at the mean of the sources' shares."""
    shares = [shares_of(labels) for _, labels in sources]
    together = np.mean(shares, axis=0)

    def loss(parameters: NDArray[np.float64]) -> float:
        total = OFFSET_PULL * float((parameters[1:] ** 2).sum())
        for (logits, labels), own in zip(sources, shares, strict=True):
            kept = labels >= 0
            scaled = logits[kept, :EMOTION_COUNT].astype(np.float64) * np.exp(parameters[0]) + parameters[1:]
            scaled += np.log(own / together)
            top = scaled.max(1, keepdims=True)
            log_sum = top[:, 0] + np.log(np.exp(scaled - top).sum(1))
            total += float((log_sum - scaled[np.arange(kept.sum()), labels[kept]]).mean()) / len(sources)
        return total

    found = minimize(loss, np.zeros(EMOTION_COUNT + 1), method="L-BFGS-B").x
    found[1:][list(RARE)] += RARE_LIFT
    return np.concatenate([[np.exp(found[0])], found[1:]])


def probabilities_of(logits: NDArray[np.float32], calibration: NDArray[np.float64]) -> NDArray[np.float32]:
    """Softmax of the scaled logits [n, 8]."""
    return softmax(np.asarray(logits[:, :EMOTION_COUNT] * calibration[0] + calibration[1:], np.float32))


def _logits(graph: Path, framings: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Log-probabilities [n, 8] of faces in one or more framings [n, k, 48, 48], averaged over these."""
    parts = [softmax(run_graph(graph, np.ascontiguousarray(framings[:, each]))) for each in range(framings.shape[1])]
    return np.asarray(np.log(np.maximum(np.mean(parts, axis=0), 1e-12)), np.float32)


def main() -> None:
    """Quantise, calibrate, report the validation scores (calibration cross-fitted on halves), write the graph."""
    parser = Parser("python -m models.training.face_export", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with ferplus_train.npz and ferplus_valid.npz")
    parser.add_argument("--run", type=Path, required=True, help="face.pt of a training run")
    parser.add_argument("--cache", type=Path, help="calibrate on RAF-DB's held-out faces too; folder of its crops")
    parser.add_argument("--temperature", type=float, default=1.3, help="for sources that nothing has seen")
    parser.add_argument("--out", type=Path, required=True, help="face_affect.onnx to write")
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = FaceNetwork()
    network.load_state_dict(torch.load(args.run, weights_only=False)["average"])
    train, valid = load_split(args.data, "train"), load_split(args.data, "valid")
    majority = valid.majority()
    print("valid, read once:      ", measure(majority, softmax(predict(network, valid.images))))
    write_graph(network, train.images, args.out)
    sources = [(_logits(args.out, valid.images[:, None]), majority)]
    if args.cache:
        faces = load_rafdb(args.data, args.cache)
        left_out = faces.take(held_out(len(faces.labels)))
        sources.append((_logits(args.out, left_out.images), left_out.labels))
    halves = [np.random.default_rng(0).permutation(len(labels)) % 2 == 0 for _, labels in sources]
    for number, (logits, labels) in enumerate(sources):
        name = ("FER+ valid", "RAF-DB held out")[number]
        print(f"{name}, both, quantised:", measure(labels, softmax(logits)))
        crossed = np.empty_like(logits)
        for turn in (False, True):
            fit = [(part[half ^ turn], truth[half ^ turn]) for (part, truth), half in zip(sources, halves, strict=True)]
            use = ~(halves[number] ^ turn)
            crossed[use] = probabilities_of(logits[use], fit_calibration(fit))
        print(f"{name}, cross-fitted:   ", measure(labels, crossed))
    calibration = fit_calibration(sources)
    shares = np.mean([shares_of(labels) for _, labels in sources], axis=0)
    shares[list(RARE)] *= np.exp(RARE_LIFT)
    told = Calibration(
        tuple((shares / shares.sum()).tolist()),
        args.temperature,
        float(calibration[0]),
        tuple(calibration[1:].tolist()),
    )
    print(told)
    write_metadata(args.out, told, f"{FERPLUS},{RAFDB}" if args.cache else FERPLUS)
    print("valid, as written:     ", measure(majority, FaceAffectNetwork(args.out).probabilities(valid.images)[0]))
    print(f"wrote {args.out.name}: {args.out.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
