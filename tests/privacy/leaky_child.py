"""The process of `hailong audit memory` with an engine that keeps the last frames: the audit must see it."""

from __future__ import annotations

from edge.audit.memory_child import main
from edge.perception.engine import Engine, FaceToRead
from edge.perception.networks import Eyes
from pipeline.records import Frame


class HoardingEngine(Engine):
    """Keeps what it should forget."""

    hoard: list[Frame] = []  # noqa: RUF012

    def look(self, frame: Frame, eyes: Eyes | None = None) -> FaceToRead | None:
        """Look at one picture, and keep the first ones."""
        if len(self.hoard) < 3:
            self.hoard.append(frame)
        return super().look(frame, eyes)


if __name__ == "__main__":
    main(HoardingEngine)
