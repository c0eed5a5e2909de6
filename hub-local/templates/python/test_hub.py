"""Tests of the hub with real clients and a real service: `pytest`."""

import asyncio
import urllib.error
import urllib.request

import pytest
from pysignalr.client import SignalRClient

from app.server import App


@pytest.fixture(scope="session")
def server():
    with App().running() as app:
        yield app


@pytest.fixture(scope="session")
def hub_local_options(server):
    """The options of the fixture `hub_local`: the service calls the app at this URL."""
    return {"upstream": server.upstream_url}


@pytest.fixture(scope="session")
def app(server, hub_local):
    server.use_service(hub_local.connection_string)
    return server


class Client:
    """A client that has joined the lobby, and what it has received."""

    def __init__(self, app, user):
        self.joined, self.left, self.said = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
        self.completions = asyncio.Queue()
        self.signalr = SignalRClient(f"{app.url}/chat?user={user}")
        for name in ("joined", "left", "said"):
            self.signalr.on(name, getattr(self, name).put)
        self.signalr.on_error(self.completions.put)

    async def __aenter__(self):
        self.task = asyncio.create_task(self.signalr.run())
        await asyncio.wait_for(self.joined.get(), 10)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def call(self, method, *arguments):
        """The completion of a call, with `result` or `error`."""
        await self.signalr.send(method, list(arguments), self.completions.put)
        return await asyncio.wait_for(self.completions.get(), 10)


def test_everyone_receives_what_ada_says(app):
    async def talk():
        async with Client(app, "ada") as ada, Client(app, "bob") as bob:
            assert not (await ada.call("say", "hi")).error
            for client in (ada, bob):
                assert await asyncio.wait_for(client.said.get(), 10) == [{"user": "ada", "text": "hi"}]

    asyncio.run(talk())


def test_an_empty_text_is_refused(app):
    async def talk():
        async with Client(app, "ada") as ada:
            assert (await ada.call("say", " ")).error == "Enter a text."

    asyncio.run(talk())


def test_a_connection_needs_a_name(app):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{app.url}/chat/negotiate?user=", data=b"")

    assert (refused.value.code, refused.value.read()) == (400, b"Enter a name.")
