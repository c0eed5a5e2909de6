"""The hub: what pages call, and what they receive. Change this file first."""

from .signalr import Refusal

LOBBY = "lobby"

# The name of the hub: `withUrl("/chat")`.
NAME = "chat"


def negotiate(query):
    """Determines the user of a new connection: `withUrl("/chat?user=ada")`. A real app checks a session or a token."""
    user = query.get("user", "").strip()
    if not user:
        raise Refusal("Enter a name.")
    return user


def connected(caller, service):
    service.add_to_group(LOBBY, caller.connection)
    service.send_to_group(LOBBY, "joined", caller.user)


def disconnected(caller, service):
    service.send_to_group(LOBBY, "left", caller.user)


def say(caller, service, text):
    """`await connection.invoke("say", "hi")`"""
    if not isinstance(text, str) or not text.strip():
        raise Refusal("Enter a text.")
    service.send_to_group(LOBBY, "said", {"user": caller.user, "text": text})


# The methods that pages call.
METHODS = {"say": say}
