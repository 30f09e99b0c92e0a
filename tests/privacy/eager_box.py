"""The box of `hailong audit trace` with an engine that wants to look before anybody has agreed."""

from __future__ import annotations

import sys

from edge.audit import trace_child as audit_trace_child
from edge.perception import engine


class EagerEngine(engine.Engine):
    """Wants camera and microphone always."""

    @property
    def wants_sources(self) -> bool:
        """Whether a yes holds or not."""
        return True


if __name__ == "__main__":
    import edge.perception.analysis

    setattr(edge.perception.analysis, "Engine", EagerEngine)  # noqa: B010
    sys.exit(audit_trace_child.main())
