// Clients send their own headers and cookies to the service, too, after the redirect of negotiate.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTunnel, connect as open } from "node:net";
import { after, before, describe, test } from "node:test";
import { HttpTransportType } from "@microsoft/signalr";
import { Program, cleanUp, connect, freePort, until } from "./lib.js";

const KEY = "a-key-of-the-test-of-headers-0123456789";
/** `tests/secrets.py` searches the output of all tests for these values, too. */
const SECRETS = { Cookie: "session=planted-cookie-6sWd2N", "X-Api-Key": "planted-header-4pLk9V" };
const planted = /planted-(cookie-6sWd2N|header-4pLk9V)/;

/** A token of a client of the hub `room`. */
function token(audience) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 60;
  const unsigned = `${part({ alg: "HS256", typ: "JWT" })}.${part({ aud: audience, nameid: "ada", exp })}`;
  return `${unsigned}.${createHmac("sha256", KEY).update(unsigned).digest("base64url")}`;
}

describe("headers and cookies of clients", () => {
  let app;
  let url;
  let service;
  let port;
  let tunnel;
  let received = ""; // by the service, from clients
  const calls = [];

  before(async () => {
    port = String(await freePort());
    tunnel = createTunnel((client) => {
      const server = open(port, "127.0.0.1");
      client.on("data", (bytes) => (received += bytes.toString("latin1")));
      client.pipe(server).pipe(client);
      [client, server].forEach((socket) => socket.on("error", () => {}));
    }).listen(0, "127.0.0.1");
    await once(tunnel, "listening");
    app = createServer(async (request, response) => {
      let body = "";
      for await (const piece of request.setEncoding("utf8")) body += piece;
      if (request.url.startsWith("/room/negotiate")) {
        const client = `http://127.0.0.1:${tunnel.address().port}/client/?hub=room`;
        response.end(JSON.stringify({ url: client, accessToken: token(client) }));
        return;
      }
      calls.push(`${request.url}\n${request.rawHeaders.join("\n")}\n${body}`);
      const { invocationId } = JSON.parse(body);
      response.end(invocationId && `${JSON.stringify({ type: 3, invocationId, result: 7 })}\x1e`);
    }).listen(0, "127.0.0.1");
    await once(app, "listening");
    url = `http://127.0.0.1:${app.address().port}`;
    service = new Program("hub-local", ["start", "--port", port, "--upstream", `${url}/upstream`, "--log", "trace"], {
      HUB_LOCAL_KEY: KEY,
    });
    await service.printed(/Ctrl\+C stops/);
  });

  after(async () => {
    await cleanUp();
    app.close();
    app.closeAllConnections();
    tunnel.close();
  });

  for (const transport of ["WebSockets", "ServerSentEvents", "LongPolling"]) {
    test(`over ${transport} they reach the service, and neither its upstream calls nor its log`, async () => {
      const earlier = calls.length;
      received = "";

      const client = await connect(`${url}/room`, {
        options: { transport: HttpTransportType[transport], headers: SECRETS },
      });
      assert.equal(await client.invoke("add", 3, 4), 7);
      await client.stop();
      await until("the app is told", () => calls.length === earlier + 3);

      for (const secret of Object.values(SECRETS)) {
        assert.ok(received.split(secret).length > 2, "negotiate and transport carry them");
      }
      assert.doesNotMatch(calls.slice(earlier).join("\n"), planted);
      await service.logged(new RegExp(`connected .*transport="${transport}"`));
      assert.doesNotMatch(service.log, planted);
    });
  }

  test("a refused request with such headers does not log them", async () => {
    for (const path of ["/client/negotiate?hub=room", "/client/?hub=room", "/api/hubs/room/:send", "/nothing"]) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers: SECRETS });
      assert.ok(response.status >= 400, path);
      assert.doesNotMatch(await response.text(), planted);
    }
    assert.doesNotMatch(service.log, planted);
  });
});
