"""The box of `hailong audit trace` with an engine that leaks: a picture into a folder of its own, samples into the
box's, a packet to another host."""

from __future__ import annotations

import socket
import sys
import tempfile
from pathlib import Path

import numpy as np

from edge.audit import trace_child as audit_trace_child
from edge.perception import engine
from edge.perception.networks import Eyes
from pipeline.records import Frame


class LeakyEngine(engine.Engine):
    """Writes and sends what it should not, once."""

    done = False

    def look(self, frame: Frame, eyes: Eyes | None = None) -> engine.FaceToRead | None:
        """Look at one picture, and leak it."""
        if not LeakyEngine.done and frame.pixels.std() > 20:
            import cv2

            LeakyEngine.done = True
            cv2.imwrite(str(Path(tempfile.gettempdir()) / "hailong-leak.jpg"), frame.pixels)
            data_dir = Path(sys.argv[1]).parent / "box"
            np.save(data_dir / "release.sqlite3-journal", frame.pixels[:8])  # numpy adds .npy: another name
            (data_dir / "outbox.sqlite3-journal").write_text("người dân này có vẻ không hài lòng chút nào với thủ tục")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as leak:
                leak.connect(("127.0.0.9", 9))
        return super().look(frame, eyes)


if __name__ == "__main__":
    import edge.perception.analysis

    setattr(edge.perception.analysis, "Engine", LeakyEngine)  # noqa: B010
    sys.exit(audit_trace_child.main())
