"""A server's door as a process to be killed: python -m tests.delivery.server_child STORE KEYS_FOLDER ADDRESS."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from pipeline.keys import KEY_FILE_NAME, load_keys
from server.boxes.ingest import Ingest, IngestSettings
from server.store.engine import connect


def main() -> None:
    store, keys, address = sys.argv[1:4]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    ingest = Ingest(
        connect(store),
        load_keys(Path(keys) / KEY_FILE_NAME, "server"),
        IngestSettings(address, None, rate_per_s=10_000),
    )
    ingest.start()
    print("ready", flush=True)
    stop.wait()
    ingest.stop()


if __name__ == "__main__":
    main()
