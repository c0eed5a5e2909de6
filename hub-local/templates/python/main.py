"""A chat: `python -m app`, then open the printed address in two tabs."""

import logging
import os
import signal
import sys
from contextlib import ExitStack

from dotenv import load_dotenv

from .server import App


def main():
    load_dotenv(".env")
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"), format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    app = App(os.environ.get("HOST") or "127.0.0.1", int(os.environ.get("PORT") or 7071))
    with ExitStack() as stack:
        stack.enter_context(app.running())
        connection_string = os.environ.get("AzureSignalRConnectionString")
        if not connection_string:
            local = stack.enter_context(start_local_service(app.upstream_url))
            connection_string = local.connection_string
            print(f"Inspect  {local.inspector}", flush=True)
        app.use_service(connection_string)
        print(f"App      {app.url}", flush=True)
        try:
            app.wait()
        except KeyboardInterrupt:
            pass


def start_local_service(upstream):
    try:
        from hub_local import start_hub_local
    except ImportError:
        sys.exit("set AzureSignalRConnectionString; without it, the app needs the development package hub-local")
    return start_hub_local(upstream=upstream, port=int(os.environ.get("HUB_LOCAL_PORT") or 0))


if __name__ == "__main__":
    main()
