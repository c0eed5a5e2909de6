"""Fixtures for pytest, which loads this module by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest

from ._options import HubLocalOptions
from ._service import HubLocal, start_hub_local

_SCOPE = "hub_local_scope"
_Scope = Literal["session", "package", "module", "class", "function"]
_SCOPES: tuple[_Scope, ...] = ("session", "package", "module", "class", "function")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(_SCOPE, "scope of the fixtures hub_local and hub_local_options", default="function")


def pytest_configure(config: pytest.Config) -> None:
    # An error in a scope of a fixture would be an internal error of pytest.
    _scope("hub_local", config)


def _scope(fixture_name: str, config: pytest.Config) -> _Scope:
    value = config.getini(_SCOPE)
    for scope in _SCOPES:
        if scope == value:
            return scope
    raise pytest.UsageError(f"{_SCOPE} must be one of {', '.join(_SCOPES)}, not {value!r}")


@pytest.fixture(scope=_scope)
def hub_local_options() -> HubLocalOptions:
    """Options of the service that `hub_local` starts. Define a fixture of this name to set them."""
    return {}


@pytest.fixture(scope=_scope)
def hub_local(hub_local_options: HubLocalOptions) -> Iterator[HubLocal]:
    """A local SignalR service, which stops after the test."""
    with start_hub_local(**hub_local_options) as local:
        yield local
