"""The encoder: its packed file, its tokenizer and its graph, on a small network made here; the real one where it was
fetched."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import catalogue
from models.encoder_convert import additions, convert
from models.encoder_file import EncoderFile, open_encoder, unpacked
from models.text_encoder import TextEncoder, Tokenizer, encoder_text
from models.text_normalise import syllables
from models.training.text_stack import export_adapter
from pipeline.errors import ModelError

WIDTH, LAYERS, HEADS, INNER = 64, 2, 2, 128
PIECES = ("<s>", "<pad>", "</s>", "<unk>", *"aănhgi▁:queryok", "▁anh", "nh", "▁ngã", "ng", "▁query", "▁ok", "à")
SCORES = np.linspace(-1.0, -12.0, len(PIECES)).astype(np.float32)


def packed_file(rng: np.random.Generator) -> bytes:
    """A small encoder in the form of the real one."""
    floats: dict[str, int] = {"emb.pos": 128 * WIDTH, "emb.type": 2 * WIDTH, "emb.ln.w": WIDTH, "emb.ln.b": WIDTH}
    matrices: dict[str, tuple[int, int]] = {"emb.word": (len(PIECES), WIDTH)}
    for layer in range(LAYERS):
        for part in ("q", "k", "v", "ao"):
            matrices[f"l{layer}.{part}.w"], floats[f"l{layer}.{part}.b"] = (WIDTH, WIDTH), WIDTH
        matrices[f"l{layer}.fi.w"], floats[f"l{layer}.fi.b"] = (INNER, WIDTH), INNER
        matrices[f"l{layer}.fo.w"], floats[f"l{layer}.fo.b"] = (WIDTH, INNER), WIDTH
        for norm in ("aln", "oln"):
            floats |= {f"l{layer}.{norm}.w": WIDTH, f"l{layer}.{norm}.b": WIDTH}
    head = b"E5S1" + struct.pack("<I7ifi", 1, WIDTH, LAYERS, HEADS, INNER, len(PIECES), 128, 2, 1e-12, 32)
    blob = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, blob)]).astype(np.uint32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(ends[-1])) + ends.tobytes() + SCORES.tobytes()
    head += b"".join(blob) + struct.pack("<iI", 0, 0) + struct.pack("<i", len(floats) + len(matrices))
    contents = [(name, 0, rng.normal(0.2, 0.3, count).astype(np.float32).tobytes()) for name, count in floats.items()]
    for name, (rows, width) in matrices.items():
        scales = rng.normal(0.0, 0.02, (rows, width // 32, 1)).astype(np.float16).view(np.uint8)
        nibbles = rng.integers(0, 256, (rows, width // 32, 16), dtype=np.uint8)
        contents.append((name, 1, np.concatenate([scales, nibbles], axis=2).tobytes()))
    start = len(head) + sum(2 + len(name) + 1 + 20 for name, _, _ in contents)
    body = b""
    for name, kind, data in contents:
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kind, len(data), start + len(body), len(data))
        body += data
    return head + body


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("encoder")
    (made / "e5-small-q4.bin").write_bytes(packed_file(np.random.default_rng(0)))
    (made / "encoder.onnx").write_bytes(convert(made))
    return made


def plain(
    file: EncoderFile, words: NDArray[np.float32], added: dict[str, NDArray[np.float32]] | None = None
) -> NDArray[np.float64]:
    """The network as its paper has it, in numpy; `added`: what is added to a matrix [width, rows], by its name."""

    def norm(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        centred = x - x.mean(1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(1, keepdims=True) + file.epsilon)
        return np.asarray(scaled * file.numbers(f"{name}.w") + file.numbers(f"{name}.b"))

    def linear(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        weight = unpacked(file.blocks(f"{name}.w", x.shape[1])).T + (added or {}).get(name, np.float32(0))
        return np.asarray(x @ weight + file.numbers(f"{name}.b"))

    places = file.numbers("emb.pos").reshape(-1, WIDTH)[: len(words)]
    x = norm(np.asarray(words + places + file.numbers("emb.type")[:WIDTH], np.float64), "emb.ln")
    gelu = np.vectorize(lambda value: 0.5 * value * (1 + math.erf(value / math.sqrt(2))))
    for layer in range(LAYERS):
        q, k, v = (
            linear(x, f"l{layer}.{part}").reshape(len(x), HEADS, -1).transpose(1, 0, 2) for part in ("q", "k", "v")
        )
        share = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(WIDTH / HEADS))
        heard = (share / share.sum(2, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(x), -1)
        x = norm(x + linear(heard, f"l{layer}.ao"), f"l{layer}.aln")
        x = norm(x + linear(gelu(linear(x, f"l{layer}.fi")), f"l{layer}.fo"), f"l{layer}.oln")
    mean = x.mean(0)
    return np.asarray(mean / np.linalg.norm(mean))


def test_the_graph_is_the_network(folder: Path) -> None:
    file = open_encoder(folder / "e5-small-q4.bin")
    encoder = TextEncoder(folder / "e5-small-q4.bin", folder / "encoder.onnx")
    for text in ("anh", "nhà ngã", "ok anh ok", ""):
        tokens = [0, *Tokenizer(file.pieces, file.scores, file.unknown).ids("query: " + text), 2]
        words = unpacked(file.blocks("emb.word", WIDTH)[tokens])
        found = encoder.embed(text)
        assert found.shape == (WIDTH,)
        assert found.dtype == np.float32
        # activations are in 8 bits there, not here
        assert float(found @ plain(file, words)) > 0.999


def test_additions_are_added_to_the_matrices(folder: Path, tmp_path: Path) -> None:
    file, rng = open_encoder(folder / "e5-small-q4.bin"), np.random.default_rng(3)
    stems = additions(file)
    assert len(stems) == LAYERS * 6
    tables = {
        f"{stem}.{kind}": rng.normal(0.0, 0.2, shape).astype(np.float32)
        for stem, (width, rows) in stems.items()
        for kind, shape in (("down", (width, 3)), ("up", (3, rows)))
    }
    export_adapter(tables, tmp_path / "adapter.onnx")
    encoder = TextEncoder(folder / "e5-small-q4.bin", folder / "encoder.onnx", tmp_path / "adapter.onnx")
    added = {stem: tables[f"{stem}.down"] @ tables[f"{stem}.up"] for stem in stems}
    words = unpacked(file.blocks("emb.word", WIDTH)[[0, *Tokenizer(list(PIECES), SCORES, 3).ids("query: ok anh"), 2]])
    found = encoder.embed("ok anh")
    assert float(found @ plain(file, words, added)) > 0.995
    assert float(found @ plain(file, words)) < 0.97


def test_a_long_sentence_is_cut(folder: Path) -> None:
    encoder = TextEncoder(folder / "e5-small-q4.bin", folder / "encoder.onnx")
    assert np.isfinite(encoder.embed("nghĩa " * 5000)).all()


@given(st.integers(0, 4000))
def test_a_cut_file_is_refused(folder: Path, length: int) -> None:
    part = folder / "part.bin"
    part.write_bytes((folder / "e5-small-q4.bin").read_bytes()[:length])
    with pytest.raises(ModelError):
        convert_from(part)


def convert_from(part: Path) -> None:
    file = open_encoder(part)
    file.numbers("no such weights")


@given(st.text(st.sampled_from("anhgiàkoq: ▁xă"), max_size=24))
def test_the_cut_is_the_likeliest(text: str) -> None:
    """Against the reference implementation of the unigram model."""
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.Unigram(list(zip(PIECES, map(float, SCORES), strict=True)), unk_id=3, byte_fallback=False)
    row = "▁" + text.replace(" ", "▁")
    reference = [token.id for token in model.tokenize(row)]
    ours = Tokenizer(list(PIECES), SCORES, 3).ids(text)

    def worth(ids: list[int]) -> float:
        return sum(float(SCORES.min()) - 10.0 if one == 3 else float(SCORES[one]) for one in ids)

    if 3 in reference:  # the library joins unknown signs that stand side by side into one
        assert [one for one in ours if one != 3] == [one for one in reference if one != 3]
    else:
        assert worth(ours) == pytest.approx(worth(reference))


def test_what_is_no_vietnamese_sign_is_left_out() -> None:
    assert encoder_text(syllables("Hồ sơ №5 — xong rồi 😀 :)")) == "query: hồ sơ 0 xong rồi :) :)"
    assert encoder_text(syllables("中文 ру")) == "query: "


@pytest.fixture(scope="module")
def real() -> TextEncoder:
    try:
        found = catalogue.model_files("text-encoder")
    except ModelError:
        pytest.skip("the encoder was not fetched: hailong models fetch --asr")
    return TextEncoder(found["e5-small-q4.bin"], found["encoder.onnx"])


def test_the_real_encoder_puts_like_by_like(real: TextEncoder) -> None:
    one, other, far = map(real.embed, ("tôi chờ rất lâu", "mình phải đợi lâu quá", "giấy khai sinh nộp ở quầy nào"))
    assert one @ other > one @ far
