"""The process of `hailong audit memory` with an engine that keeps the last frames: the audit must see it."""

from __future__ import annotations

from edge.audit.memory_child import main
from edge.perception.engine import Engine
from pipeline.records import Frame


class HoardingEngine(Engine):
    """Keeps what it should forget."""

    hoard: list[Frame] = []  # noqa: RUF012

    def feed_frame(self, frame: Frame) -> None:
        """Look at one picture, and keep the first ones."""
        if len(self.hoard) < 3:
            self.hoard.append(frame)
        super().feed_frame(frame)


if __name__ == "__main__":
    main(HoardingEngine)
