"""A hub without a framework: `python room.py`. Settings: PORT, AzureSignalRConnectionString."""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

HUB = "room"
MODERATORS = {"ada"}
# The key itself may contain `=`.
PAIRS = [part.split("=", 1) for part in os.environ["AzureSignalRConnectionString"].split(";") if part]
SETTING = {name.strip().lower(): value.strip() for name, value in PAIRS}
SERVICE = SETTING["endpoint"].rstrip("/") + (":" + SETTING["port"] if "port" in SETTING else "")


def sign(text):
    return hmac.digest(SETTING["accesskey"].encode(), text.encode(), hashlib.sha256)


def token(audience, **claims):
    """A JSON Web Token for the service, signed with the access key."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims |= {"aud": audience, "exp": int(time.time()) + 3600}
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    unsigned = ".".join(part(json.dumps(value).encode()) for value in parts)
    return f"{unsigned}.{part(sign(unsigned))}"


class Refusal(Exception):
    """An error whose text the client may see."""


def segment(name):
    """A name in a path. Many HTTP libraries remove the segments `.` and `..`, even if they are encoded."""
    if name in ("", ".", ".."):
        raise Refusal("this name cannot be used")
    return quote(name, safe="")


def rest(method, path, body=None):
    url = f"{SERVICE}/api/hubs/{HUB}/{path}"
    headers = {"Authorization": f"Bearer {token(url)}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}?api-version=2022-06-01", data, headers, method=method)
    urllib.request.urlopen(request, timeout=10).close()  # an error status is an exception


def send(to, target, *arguments):
    rest("POST", f"{to}/:send", {"target": target, "arguments": arguments})


def announce(user, text):
    # A role comes from the app's own data, never from X-ASRS-User-Claims.
    if user not in MODERATORS:
        raise Refusal("only moderators may announce")
    send("groups/lobby", "announced", text)


# The methods that clients call.
METHODS = {
    "echo": lambda user, value: value,
    "say": lambda user, text: send("groups/lobby", "said", user, text),
    "whisper": lambda user, to, text: send(f"users/{segment(to)}", "said", user, text),
    "announce": announce,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if not 0 <= length <= 2_000_000:
            return self.send_error(413)
        body = self.rfile.read(length)
        url = urlsplit(self.path)
        routes = {f"/{HUB}/negotiate": self.negotiate, "/runtime/webhooks/signalr": self.upstream}
        try:
            status, answer = routes[url.path](url, body) if url.path in routes else (404, b"")
        except Exception as error:
            self.log_error("%r", error)
            status, answer = 500, b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def negotiate(self, url, body):
        user = parse_qs(url.query).get("user")  # a real app checks a session or a token here
        if not user:
            return 401, b""
        client = f"{SERVICE}/client/?hub={HUB}"
        return 200, json.dumps({"url": client, "accessToken": token(client, nameid=user[0])}).encode()

    def is_genuine(self):
        """Whether the call comes from the service: one entry per access key of the service must match."""
        expected = "sha256=" + sign(self.headers.get("X-ASRS-Connection-Id", "")).hex()
        signatures = self.headers.get("X-ASRS-Signature", "").lower().split(",")
        return any(hmac.compare_digest(text.strip().encode(), expected.encode()) for text in signatures)

    def upstream(self, url, body):
        header = self.headers.get
        if not self.is_genuine():
            return 401, b""
        if header("X-ASRS-Hub") != HUB:
            return 404, b""
        if header("Content-Type") != "application/json":
            return 415, b""  # a MessagePack client
        if header("X-ASRS-Category") == "connections":
            if header("X-ASRS-Event") == "connected":
                rest("PUT", f"groups/lobby/connections/{segment(header('X-ASRS-Connection-Id'))}")
            return 200, b""
        # Python reads headers as Latin-1.
        user = header("X-ASRS-User-Id", "").encode("latin-1").decode() or None
        call = json.loads(body)
        completion = {"type": 3, "invocationId": call.get("invocationId")}
        try:
            if call["target"] not in METHODS:
                raise Refusal(f"there is no method {call['target']}")
            completion["result"] = METHODS[call["target"]](user, *call["arguments"])
        except Refusal as error:
            completion["error"] = str(error)  # never empty: clients read an empty error as success
        except Exception as error:
            self.log_error("%r", error)
            completion["error"] = "the method failed"
        # `send` has no invocation id and gets no completion. A completion ends with the byte 0x1E.
        return 200, json.dumps(completion).encode() + b"\x1e" if completion["invocationId"] else b""


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 7071))), Handler)
print(f"listening on {server.server_port}", flush=True)
server.serve_forever()
