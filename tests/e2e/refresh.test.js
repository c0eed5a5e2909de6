// A hub with `refresh`. Version 10 of the official client does not know refreshes: it ignores the lifetime of its token. The
// test sends the request of newer clients, with the connection token of the official client.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as signalR from "@microsoft/signalr";
import { cleanUp, connect, until } from "./lib.js";
import { embedded, twoProcesses } from "./sites.js";

/** Keeps the responses to negotiate. */
class Capturing extends signalR.DefaultHttpClient {
  negotiated = [];

  constructor() {
    super(signalR.NullLogger.instance);
  }

  async send(request) {
    const response = await super.send(request);
    if (request.url.includes("/negotiate")) {
      this.negotiated.push(JSON.parse(response.content));
    }
    return response;
  }
}

for (const [name, begin] of Object.entries({ "embedded service": embedded, "two processes": twoProcesses })) {
  describe(name, () => {
    let site;

    before(async () => {
      site = await begin();
    });

    after(cleanUp);

    for (const transport of ["WebSockets", "ServerSentEvents", "LongPolling"]) {
      test(`a connection of the official client gets new claims: ${transport}`, async () => {
        const httpClient = new Capturing();
        const options = { httpClient, transport: signalR.HttpTransportType[transport] };
        const client = await connect(`${site.url}?user=ada`, { listen: ["number"], options });
        const [redirect, { connectionToken }] = httpClient.negotiated;
        assert.equal(redirect.tokenLifetimeSeconds, 3600);
        assert.equal(await client.invoke("isRefreshed"), false);
        const refresh = (user) =>
          fetch(`${site.url}/refresh?user=${user}&negotiateVersion=1`, {
            method: "POST",
            headers: { "X-SignalR-Connection-Token": connectionToken },
          });

        const other = await refresh("bob");
        assert.equal(other.status, 403);
        assert.equal((await other.json()).error, "permission_change_rejected");
        const counting = client.invoke("countForMe", 200);
        const refreshed = await refresh("ada");
        await counting;

        assert.equal(refreshed.status, 200);
        assert.deepEqual(Object.keys(await refreshed.json()), ["accessToken", "tokenLifetimeSeconds"]);
        assert.equal(await client.invoke("isRefreshed"), true);
        await until("all numbers have arrived", () => client.got("number").length >= 200);
        assert.deepEqual(
          client.got("number"),
          Array.from({ length: 200 }, (_, number) => [number]),
        );
        await client.stop();
      });
    }
  });
}
