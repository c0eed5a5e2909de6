"""Starts and stops the service as a child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import IO

from ._binary import find_binary
from ._errors import HubLocalError
from ._options import check
from ._output import FirstLine, Log

_START_TIMEOUT = 10.0
# The service itself ends within 10 s (`--stop-within`).
_STOP_TIMEOUT = 15.0


class HubLocal:
    """A running service. `start_hub_local` makes it. As a context manager, it stops at the end of the block."""

    url: str
    """URL of the service, without a slash at its end: `http://127.0.0.1:51234`."""
    port: int
    """Port of the service."""
    connection_string: str
    """Connection string for the app. It contains the access key."""
    inspector: str | None
    """Address of the inspector with its token; `None` if the inspector is off."""

    def __init__(self, process: subprocess.Popen[bytes], line: bytes, log: Log) -> None:
        addresses = json.loads(line)
        self.url = addresses["url"]
        self.port = addresses["port"]
        self.connection_string = addresses["connectionString"]
        self.inspector = addresses["inspector"]
        self._process = process
        self._log = log
        self._stopping = threading.Lock()
        # A process object that is still running keeps its pipes when it is collected.
        weakref.finalize(self, _close, process.stdin)

    def stop(self) -> None:
        """Closes all clients, waits until the app has their `disconnected` events (at most 10 s), and returns when
        the process has ended. Kills it after 15 s. Further calls do nothing.
        """
        with self._stopping:
            _close(self._process.stdin)
            try:
                self._process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._log.join()

    def __enter__(self) -> HubLocal:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        # Without the connection string and the token of the inspector: pytest prints values of failed tests.
        return f"<HubLocal {self.url}>"


def start_hub_local(
    *,
    upstream: str | Mapping[str, str] | None = None,
    port: int = 0,
    key: str | None = None,
    args: Sequence[str] = (),
    env: Mapping[str, str | None] | None = None,
    timeout: float = _START_TIMEOUT,
    log: str | None = None,
) -> HubLocal:
    """Starts the service, and returns when it accepts connections.

    The service stops with `HubLocal.stop`, at the end of a `with` block, and at the latest when this process ends, also
    if it is killed.

    - `upstream`: where the service sends the events of clients. A URL for all hubs, or a URL for each hub:
      `{"chat": "http://127.0.0.1:7071/runtime/webhooks/signalr", "*": "http://127.0.0.1:7072/"}`. `*` is any other hub.
      Default: `settings.json` in the current folder, if there is one. Without both, events are not delivered.
    - `port`: the port to listen on. Default: 0, a free port.
    - `key`: the access key, with which the app and the service sign. It is not on the command line of the service.
      Default: the variable `HUB_LOCAL_KEY`, otherwise the well-known key of Microsoft's emulator.
    - `args`: more arguments of `hub-local start`, for example `["--strict"]`.
    - `env`: variables of the service besides those of this process; `None` removes one. `HUB_LOCAL_URL` of this process
      is not passed on, because it is the address of another service.
    - `timeout`: the maximum time for the start, in seconds. Default: 10.
    - `log`: level of the log (`off`, `error`, `warn`, `info`, `debug`, `trace`) or directives of `tracing`. The log goes
      to `sys.stderr`. Default: the variable `HUB_LOCAL_LOG`, otherwise `warn`.

    Raises `HubLocalError` with what the service has printed on standard error, if it cannot be started, ends before it
    accepts connections (for example because the port is in use), or does not accept them within `timeout`. Raises
    `TypeError` or `ValueError` for wrong options.
    """
    check(upstream=upstream, port=port, key=key, args=args, env=env, timeout=timeout, log=log)
    variables = _variables(env)
    level = log or (None if variables.get("HUB_LOCAL_LOG") else "warn")
    if key is not None:
        # Not an argument: other users of the machine can read the arguments of a process.
        variables["HUB_LOCAL_KEY"] = key
    command = [
        find_binary(variables),
        *("start", "--json", "--stop-with-stdin", "--port", str(port)),
        *_upstreams(upstream),
        *(() if level is None else ("--log", level)),
        *args,
    ]
    process = _spawn(command, variables)
    assert process.stdout and process.stderr  # both are pipes
    lines, printed = FirstLine(process.stdout), Log(process.stderr)
    try:
        line = lines.wait(timeout)
        if line is None:
            raise HubLocalError(f"hub-local did not start within {timeout:g} s")
        if not line:
            code = process.wait(_STOP_TIMEOUT)
            end = f"exit code {code}" if code >= 0 else f"signal {-code}"
            raise HubLocalError(f"hub-local ended before it accepted connections, with {end}")
        try:
            local = HubLocal(process, line, printed)
        except (ValueError, KeyError, TypeError):
            raise HubLocalError(
                f"{command[0]} printed something else than its addresses: its version is not that of this package"
            ) from None
    except BaseException as error:
        process.kill()
        process.wait()
        _close(process.stdin)
        printed.join()
        if isinstance(error, HubLocalError) and (text := printed.text().strip()):
            raise HubLocalError(f"{error}:\n{text}") from None
        raise
    printed.forward()
    return local


def _spawn(command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=variables,
            creationflags=flags,
        )
    except OSError as error:
        raise HubLocalError(f"{command[0]} cannot be started: {error.strerror}") from error


def _variables(env: Mapping[str, str | None] | None) -> dict[str, str]:
    # HUB_LOCAL_URL is the address of another service, with another port.
    changed = {**os.environ, "HUB_LOCAL_URL": None, **(env or {})}
    return {name: value for name, value in changed.items() if value is not None}


def _upstreams(upstream: str | Mapping[str, str] | None) -> list[str]:
    if upstream is None:
        return []
    if isinstance(upstream, str):
        return ["--upstream", upstream]
    # The service uses the first match, so the URL for all other hubs is the last.
    hubs = sorted(upstream.items(), key=lambda entry: entry[0] == "*")
    return [part for hub, url in hubs for part in ("--upstream", f"{hub}={url}")]


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        try:
            stream.close()
        except OSError:
            pass  # the process has ended
