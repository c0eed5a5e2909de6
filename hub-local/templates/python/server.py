"""The HTTP server: the page, the negotiate route of the hub, and the route that the service calls."""

import json
import logging
import re
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl

from . import hub
from .signalr import Refusal, Service

UPSTREAM = "/runtime/webhooks/signalr"
MAX_BODY_BYTES = 2_000_000
PAGE = Path(__file__).parent / "page"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/signalr.min.js": ("signalr.min.js", "text/javascript; charset=utf-8"),
}

# Python leaves out header lines that it cannot read.
LOST_HEADERS = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)

log = logging.getLogger("app")


@dataclass
class Caller:
    """The client of a call."""

    connection: str
    user: str | None


class App(ThreadingHTTPServer):
    """The server. Port 0 takes a free port. It answers requests while `running()`, and after `use_service()`."""

    def __init__(self, host="127.0.0.1", port=0):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)
        address = self.server_address[0]
        self.url = self.url_at(host)
        # The service is on this machine. 0.0.0.0 and :: are all addresses, to which no client can connect everywhere.
        self.upstream_url = self.url_at({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)) + UPSTREAM
        self.service = None

    def url_at(self, host):
        return f"http://[{host}]:{self.server_port}" if ":" in host else f"http://{host}:{self.server_port}"

    def use_service(self, connection_string):
        self.service = Service(connection_string, hub.NAME)

    @contextmanager
    def running(self):
        self._thread = Thread(target=self.serve_forever, daemon=True)
        self._thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()

    def wait(self):
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The time that a connection may wait for its client, in seconds. Each connection has a thread.
    timeout = 30

    def do_GET(self):
        if self.read_body() is None:
            return
        if not self.server.service:
            return self.answer(503)
        if (path := self.path.partition("?")[0]) not in FILES:
            return self.answer(404)
        name, content_type = FILES[path]
        url = self.server.service.url
        policy = f"default-src 'self'; img-src data:; connect-src 'self' {url} {url.replace('http', 'ws', 1)}"
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
        self.answer(200, (PAGE / name).read_bytes(), content_type, headers)

    def do_POST(self):
        if (body := self.read_body()) is None:
            return
        if not self.server.service:
            return self.answer(503)
        path, _, query = self.path.partition("?")
        try:
            if path == f"/{hub.NAME}/negotiate":
                user = hub.negotiate(dict(parse_qsl(query)))
                self.answer(200, json.dumps(self.server.service.ticket(user)).encode())
            elif path == UPSTREAM:
                self.answer(*self.upstream(body))
            else:
                self.answer(404)
        except Refusal as refusal:
            self.answer(400, str(refusal).encode(), "text/plain; charset=utf-8")
        except Exception:
            log.exception("the request failed")
            self.answer(500)

    def read_body(self):
        """The body of the request. If its end is not certain, answers with an error, closes the connection and returns
        `None`: the rest of the body would be read as the next request.
        """
        lengths = self.headers.get_all("Content-Length", ["0"])
        if "Transfer-Encoding" in self.headers:
            return self.send_error(411)
        if any(isinstance(defect, LOST_HEADERS) for defect in self.headers.defects):
            return self.send_error(400)
        if len(lengths) != 1 or not re.fullmatch("[0-9]{1,18}", lengths[0].strip()):
            return self.send_error(400)
        if (length := int(lengths[0])) > MAX_BODY_BYTES:
            return self.send_error(413)
        body = self.rfile.read(length)
        return body if len(body) == length else self.send_error(400)

    def upstream(self, body):
        """A call of the service: a client has connected, has disconnected, or calls a method."""
        service, header = self.server.service, self.headers.get
        if not service.is_genuine(self.headers):
            return 401, b""
        if header("X-ASRS-Hub") != hub.NAME:
            return 404, b""
        if header("Content-Type") != "application/json":
            return 415, b""  # a MessagePack client
        # Python reads headers as Latin-1.
        user = header("X-ASRS-User-Id", "").encode("latin-1").decode() or None
        caller = Caller(header("X-ASRS-Connection-Id"), user)
        if header("X-ASRS-Category") == "connections":
            is_connected = header("X-ASRS-Event") == "connected"
            (hub.connected if is_connected else hub.disconnected)(caller, service)
            return 200, b""
        call = json.loads(body)
        completion = {"type": 3, "invocationId": call.get("invocationId")}
        try:
            if call["target"] not in hub.METHODS:
                raise Refusal(f"There is no method {call['target']}.")
            completion["result"] = hub.METHODS[call["target"]](caller, service, *call["arguments"])
        except Refusal as refusal:
            completion["error"] = str(refusal)  # never empty: clients read an empty error as success
        except Exception:
            log.exception("the method %s failed", call["target"])
            completion["error"] = "The method failed."
        # `connection.send` has no invocation id and gets no completion. A completion ends with the byte 0x1E.
        return 200, json.dumps(completion).encode() + b"\x1e" if completion["invocationId"] else b""

    def answer(self, status, body=b"", content_type="application/json", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        log.debug(format, *arguments)
