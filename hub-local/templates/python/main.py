"""A chat: `python -m app`, then open the printed address in two tabs."""

import errno
import logging
import os
import re
import signal
import sys
from contextlib import ExitStack

from dotenv import load_dotenv

from .server import App

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def main():
    load_dotenv(".env")
    logging.basicConfig(level=log_level(), format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    host, port = os.environ.get("HOST") or "127.0.0.1", port_of("PORT", 7071)
    try:
        app = App(host, port)
    except (OSError, UnicodeError) as error:
        is_in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        advice = "; set another PORT" if is_in_use else ""
        sys.exit(f"cannot listen at HOST {host}, PORT {port}: {error}{advice}")
    with ExitStack() as stack:
        stack.enter_context(app.running())
        connection_string = os.environ.get("AzureSignalRConnectionString")
        if not connection_string:
            local = stack.enter_context(start_local_service(app.upstream_url))
            connection_string = local.connection_string
            if local.inspector:
                print(f"Inspect  {local.inspector}", flush=True)
        try:
            app.use_service(connection_string)
        except ValueError as error:
            sys.exit(str(error))
        print(f"App      {app.url}", flush=True)
        try:
            app.wait()
        except KeyboardInterrupt:
            pass


def start_local_service(upstream):
    try:
        from hub_local import HubLocalError, start_hub_local
    except ImportError:
        sys.exit(
            "set AzureSignalRConnectionString; without it, the app needs the development package hub-local, "
            'which `pip install -e ".[dev]"` installs in the environment of this Python'
        )
    try:
        return start_hub_local(upstream=upstream, port=port_of("HUB_LOCAL_PORT", 0))
    except HubLocalError as error:
        sys.exit(str(error))


def log_level():
    level = (os.environ.get("LOG_LEVEL") or "INFO").upper()
    if level not in LEVELS:
        sys.exit(f"LOG_LEVEL must be one of {', '.join(LEVELS)}")
    return level


def port_of(name, default):
    text = os.environ.get(name) or str(default)
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        sys.exit(f"{name} must be a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    main()
