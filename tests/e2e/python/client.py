"""A pysignalr client. Reads commands from standard input and prints events, one JSON value per line.

    python client.py URL json|messagepack
    ["invoke", "echo", 7]      prints ["completed", "echo", 7] or ["failed", text]
    ["send", "giveBack", 7]    no response; calls of the hub are printed: ["number", 7]
"""

import asyncio
import base64
import json
import sys

from pysignalr.client import SignalRClient
from pysignalr.protocol.json import JSONProtocol
from pysignalr.protocol.messagepack import MessagepackProtocol


def show(*values):
    def plain(value):
        return {"bytes": base64.b64encode(value).decode()}

    print(json.dumps(values, default=plain), flush=True)


async def main(url, protocol):
    client = SignalRClient(url, protocol=MessagepackProtocol() if protocol == "messagepack" else JSONProtocol())

    async def opened():
        show("open")

    async def closed():
        show("closed")

    async def failed(completion):
        show("failed", completion.error)

    async def number(arguments):
        show("number", *arguments)

    async def question(arguments):
        if arguments == ["impossible"]:
            raise ValueError("I do not know")
        return f"42 is {arguments[0]}"

    client.on_open(opened)
    client.on_close(closed)
    client.on_error(failed)
    client.on("number", number)
    client.on("question", question)

    async def obey():
        while line := await asyncio.to_thread(sys.stdin.readline):
            what, method, *arguments = json.loads(line)
            if what == "bytes":
                arguments = [base64.b64decode(text) for text in arguments]

            async def completed(completion, method=method):
                if not completion.error:
                    show("completed", method, completion.result)

            await client.send(method, arguments, None if what == "send" else completed)

    running = asyncio.create_task(client.run())
    obeying = asyncio.create_task(obey())
    done, _ = await asyncio.wait([running, obeying], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


asyncio.run(main(*sys.argv[1:]))
