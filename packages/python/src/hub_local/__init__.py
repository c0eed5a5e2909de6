"""A local SignalR service for tests and development: the hub-local command, and functions that start it.

    from hub_local import start_hub_local

    with start_hub_local(upstream="http://127.0.0.1:7071/runtime/webhooks/signalr") as local:
        print(local.url)

With pytest, the fixture `hub_local` starts a service for each test.
"""

from ._binary import find_binary
from ._errors import HubLocalError
from ._options import HubLocalOptions
from ._service import HubLocal, start_hub_local

__all__ = ["HubLocal", "HubLocalError", "HubLocalOptions", "find_binary", "start_hub_local"]
