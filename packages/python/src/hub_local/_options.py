"""The options of the service, and their checks before the start."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict


class HubLocalOptions(TypedDict, total=False):
    """The options of `start_hub_local`, as the fixture `hub_local_options` returns them."""

    upstream: str | Mapping[str, str] | None
    port: int
    key: str | None
    args: Sequence[str]
    env: Mapping[str, str | None] | None
    timeout: float
    log: str | None


def check(
    *, upstream: object, port: object, key: object, args: object, env: object, timeout: object, log: object
) -> None:
    """Raises `TypeError` or `ValueError` for a wrong option. The errors show no values, because the key is secret."""
    urls = "upstream must be a URL, or a mapping with a URL for each hub"
    if isinstance(upstream, Mapping):
        if not upstream:
            raise ValueError(f"{urls} and at least one")
        _check_texts(urls, [*upstream, *upstream.values()])
    elif upstream is not None:
        _check_texts(urls, [upstream])
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError("port must be a number from 0 to 65535")
    if not 0 <= port <= 65535:
        raise ValueError("port must be a number from 0 to 65535")
    if key is not None:
        _check_texts("key must be a text", [key])
    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise TypeError('args must be a list of arguments, such as ["--strict"]')
    _check_texts("args must be a list of texts", args)
    if env is not None:
        if not isinstance(env, Mapping):
            raise TypeError("env must be a mapping of names to texts or None")
        values = [value for value in env.values() if value is not None]
        _check_texts("env must be a mapping of names to texts or None", [*env, *values])
    longest = f"timeout must be a number of seconds above 0 and up to {threading.TIMEOUT_MAX:.0f}"
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool):
        raise TypeError(longest)
    if not 0 < timeout <= threading.TIMEOUT_MAX:
        raise ValueError(longest)
    if log is not None:
        _check_texts("log must be a text", [log])


def _check_texts(expected: str, values: Iterable[object]) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(expected)
        # Arguments and variables of a process end at NUL.
        if "\0" in value:
            raise ValueError(f"{expected}, without NUL")
