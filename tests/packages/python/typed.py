"""Uses the types of the package as an app does. mypy checks this file, which nothing runs."""

import pytest

from hub_local import HubLocal, HubLocalOptions, start_hub_local

options: HubLocalOptions = {"upstream": {"chat": "http://a/"}, "args": ["--strict"], "env": {"A": None}, "timeout": 1}

with start_hub_local(**options) as local:
    url: str = local.url
    port: int = local.port
    inspector: str = local.inspector  # type: ignore[assignment]
    local.stop()

start_hub_local("http://a/")  # type: ignore[call-arg]
start_hub_local(upstrem="http://a/")  # type: ignore[call-arg]
wrong: HubLocalOptions = {"upstrem": "http://a/"}  # type: ignore[typeddict-unknown-key]


@pytest.fixture
def hub_local_options() -> HubLocalOptions:
    return {"key": "0123456789abcdef"}


def test_a_fixture(hub_local: HubLocal) -> None:
    assert hub_local.connection_string
