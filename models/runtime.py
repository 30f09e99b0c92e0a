"""Running networks: LiteRT for .tflite files as they are, ONNX Runtime for .onnx files.

One thread each and no spinning: on a small box several streams share few cores, and spinning threads were two to three
times slower. The provider that is really in use is asserted and published: a silent fall-back is an error here.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError
from pipeline.language import Message

Array = NDArray[np.float32]
PROVIDER = "CPUExecutionProvider"


_line_is_out = False


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    # LiteRT writes a line to the process' stderr with its first interpreter; it would stand in the middle of a
    # command's progress. Later ones, which are made while a box runs, leave stderr alone: others write there.
    global _line_is_out
    if _line_is_out:
        yield
        return
    _line_is_out = True
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def with_numbers(content: bytes, changes: Mapping[tuple[int, ...], tuple[int, ...]]) -> bytes:
    """A file's bytes with other whole numbers (int32, little end first) in the place of some. Each run of numbers has
    to be in the file exactly once: else `ModelError`, as then it is another file than whoever asks knows."""
    found = bytearray(content)
    for before, after in changes.items():
        run, numbers = struct.pack(f"<{len(before)}i", *before), struct.pack(f"<{len(after)}i", *after)
        if content.count(run) != 1 or len(run) != len(numbers):
            raise ModelError(Message("A network's file does not have the numbers {before} once.", before=list(before)))
        at = content.index(run)
        found[at : at + len(run)] = numbers
    return bytes(found)


class TfliteNetwork:
    """A .tflite network with one float32 input. Not thread-safe.

    `shape`: of the input, where it is to be another than the file's; `changes`: what else has to be another in the file
    for that (`with_numbers`)."""

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        shape: tuple[int, ...] | None = None,
        changes: Mapping[tuple[int, ...], tuple[int, ...]] | None = None,
    ) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ModelError(
                Message("LiteRT is not installed."), Message("Run: pip install 'hailong[edge]'")
            ) from error
        try:
            with _quiet_stderr():
                content = with_numbers(path.read_bytes(), changes or {})
                self._interpreter = Interpreter(model_content=content, num_threads=threads)
                if shape is not None:
                    index = self._interpreter.get_input_details()[0]["index"]
                    self._interpreter.resize_tensor_input(index, shape)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                Message("{name} is not a network that LiteRT can run: {error}.", name=path.name, error=error)
            ) from error
        details = self._interpreter.get_input_details()[0]
        self.shape: tuple[int, ...] = tuple(int(size) for size in details["shape"])
        self._index: int = details["index"]
        self._outputs: list[int] = [output["index"] for output in self._interpreter.get_output_details()]

    def run(self, inputs: Array) -> list[Array]:
        """Outputs for one input of `shape`, in the file's order. The arrays are the caller's own."""
        self._interpreter.set_tensor(self._index, inputs)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def forget(self) -> None:
        """Run once on zeros, so that neither the input nor what was computed from it stays in the network's memory."""
        self.run(np.zeros(self.shape, np.float32))


class OnnxNetwork:
    """An .onnx network. `run` may be called from several threads.

    `keeps_memory`: whether what a run computed may lie in the runtime's own pool until the next one; without, it goes
    back to the C library's heap, where a box overwrites it.
    """

    def __init__(self, path: Path, threads: int = 1, keeps_memory: bool = True) -> None:
        try:
            # Its Linux wheels (1.31) collect telemetry: they keep a data base in the user's cache and look up a
            # Microsoft host as soon as they are imported; disable_telemetry_events() comes too late.
            os.environ["ORT_DISABLE_TELEMETRY"] = "1"
            import onnxruntime
        except ImportError as error:
            raise ModelError(
                Message("ONNX Runtime is not installed."), Message("Run: pip install 'hailong[edge]'")
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = options.enable_mem_pattern = keeps_memory
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=[PROVIDER])
        except Exception as error:  # the runtime raises classes of its own, with no common root but this
            raise ModelError(
                Message("{name} is not a network that ONNX Runtime can run: {error}.", name=path.name, error=error)
            ) from error
        if self._session.get_providers()[0] != PROVIDER:
            raise ModelError(
                Message(
                    "{name} runs on {get_providers}, not on {provider} as asked.",
                    name=path.name,
                    get_providers=self._session.get_providers()[0],
                    provider=PROVIDER,
                )
            )
        self.provider = PROVIDER
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.inputs: dict[str, tuple[Any, ...]] = {each.name: tuple(each.shape) for each in self._session.get_inputs()}
        self.outputs: list[str] = [each.name for each in self._session.get_outputs()]

    def run(self, **inputs: NDArray[Any]) -> list[Array]:
        """Outputs in the file's order for inputs by name."""
        return list(self._session.run(None, inputs))
