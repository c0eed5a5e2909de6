"""The protocol of a SignalR service in serverless mode: client tokens, calls of the service, and its REST API.

hub-local and Azure SignalR Service have the same one.
"""

import base64
import hashlib
import hmac
import json
import time
import urllib.request
from urllib.parse import quote


class Refusal(Exception):
    """An error whose text the client gets. The texts of other errors are only in the log."""


def segment(name):
    """A name in a path. Many HTTP libraries remove the segments `.` and `..`, even if they are encoded."""
    if name in ("", ".", ".."):
        raise Refusal("This name cannot be used.")
    return quote(name, safe="")


class Service:
    def __init__(self, connection_string, hub):
        # The key itself may contain `=`.
        pairs = [part.split("=", 1) for part in connection_string.split(";") if "=" in part]
        setting = {name.strip().lower(): value.strip() for name, value in pairs}
        if not setting.get("endpoint") or not setting.get("accesskey"):
            raise ValueError("AzureSignalRConnectionString needs Endpoint and AccessKey")
        if not setting["endpoint"].startswith(("https://", "http://")):
            raise ValueError("the Endpoint of AzureSignalRConnectionString must start with https:// or http://")
        self.url = setting["endpoint"].rstrip("/") + (f":{setting['port']}" if setting.get("port") else "")
        self._key = setting["accesskey"].encode()
        self._hub = hub

    def _hmac(self, text):
        return hmac.digest(self._key, text.encode(), hashlib.sha256)

    def _token(self, audience, **claims):
        """A JSON Web Token for the service."""

        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

        claims |= {"aud": audience, "exp": int(time.time()) + 3600}
        parts = [{"alg": "HS256", "typ": "JWT"}, claims]
        unsigned = ".".join(part(json.dumps(value).encode()) for value in parts)
        return f"{unsigned}.{part(self._hmac(unsigned))}"

    def ticket(self, user):
        """The response to a negotiate request: the client connects to this URL with this token."""
        url = f"{self.url}/client/?hub={self._hub}"
        return {"url": url, "accessToken": self._token(url, nameid=user)}

    def is_genuine(self, headers):
        """Whether a call comes from the service: it has one signature for each access key of the service."""
        expected = "sha256=" + self._hmac(headers.get("X-ASRS-Connection-Id", "")).hex()
        signatures = headers.get("X-ASRS-Signature", "").lower().split(",")
        return any(hmac.compare_digest(text.strip().encode(), expected.encode()) for text in signatures)

    def add_to_group(self, group, connection):
        self._rest("PUT", f"groups/{segment(group)}/connections/{segment(connection)}")

    def send_to_group(self, group, target, *arguments):
        self._rest("POST", f"groups/{segment(group)}/:send", {"target": target, "arguments": arguments})

    def send_to_user(self, user, target, *arguments):
        self._rest("POST", f"users/{segment(user)}/:send", {"target": target, "arguments": arguments})

    def _rest(self, method, path, body=None):
        url = f"{self.url}/api/hubs/{self._hub}/{path}"
        headers = {"Authorization": f"Bearer {self._token(url)}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{url}?api-version=2022-06-01", data, headers, method=method)
        urllib.request.urlopen(request, timeout=10).close()  # an error status is an exception
