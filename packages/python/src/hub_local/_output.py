"""Reads the output of the service in threads, because pipes of Windows have no timeouts."""

from __future__ import annotations

import queue
import sys
import threading
from typing import IO

_MAX_LINE = 64 * 1024
# The part of the log that an error contains.
_MAX_LOG = 64 * 1024
_END_TIMEOUT = 5.0


class FirstLine:
    """The first line of a stream. Closes the stream then: the service prints no more that matters."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="hub-local output", daemon=True).start()

    def _read(self) -> None:
        with self._stream:
            self._lines.put(self._stream.readline(_MAX_LINE))

    def wait(self, timeout: float) -> bytes | None:
        """The line, empty if the stream has ended without one; `None` if there is none in time."""
        try:
            return self._lines.get(timeout=timeout)
        except queue.Empty:
            return None


class Log:
    """Keeps what a stream contains, and writes it to `sys.stderr` from `forward` on."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = b""
        self._is_forwarding = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="hub-local log", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            for line in iter(lambda: self._stream.readline(_MAX_LINE), b""):
                with self._lock:
                    if self._is_forwarding:
                        _write(line)
                    else:
                        self._kept = (self._kept + line)[-_MAX_LOG:]

    def text(self) -> str:
        with self._lock:
            return self._kept.decode(errors="replace")

    def forward(self) -> None:
        with self._lock:
            _write(self._kept)
            self._kept = b""
            self._is_forwarding = True

    def join(self) -> None:
        """Waits until the stream has ended."""
        self._thread.join(_END_TIMEOUT)


def _write(data: bytes) -> None:
    # The stream of the moment: pytest replaces it for each test. It is `None` without a console.
    try:
        sys.stderr.write(data.decode(errors="replace"))
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        pass  # there is none, or it is closed
