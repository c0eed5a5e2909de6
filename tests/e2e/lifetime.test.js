// Connections that the service ends by age, seen by the official client: over each transport, with and without
// automatic and stateful reconnect.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";
import * as signalR from "@microsoft/signalr";
import { Program, freePort, until, within } from "./lib.js";

const KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

function signed(audience) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ aud: audience, exp: Math.floor(Date.now() / 1000) + 600 })}`;
  return `${text}.${createHmac("sha256", KEY).update(text).digest("base64url")}`;
}

describe("connections that end by age", () => {
  let service;
  let url;

  before(async () => {
    const port = await freePort();
    const limit = ["--max-connection-lifetime", "2s"];
    service = new Program("hub-local", ["start", "--port", String(port), "--log", "debug", ...limit], {});
    await service.printed(/AccessKey=/);
    url = `http://127.0.0.1:${port}/client/?hub=chat`;
  });

  after(() => service.stop("SIGKILL"));

  const build = (options, change = (builder) => builder) => {
    const builder = new signalR.HubConnectionBuilder().withUrl(url, { accessTokenFactory: () => signed(url), ...options });
    return change(builder.configureLogging(signalR.LogLevel.None)).build();
  };

  const transports = signalR.HttpTransportType;
  for (const transport of [transports.WebSockets, transports.ServerSentEvents, transports.LongPolling]) {
    test(`${transports[transport]}: a client with automatic reconnect comes back with a new connection, without an error`, async () => {
      const connection = build({ transport }, (builder) => builder.withAutomaticReconnect([0, 0, 0]));
      const [losses, returns] = [[], []];
      connection.onreconnecting((error) => losses.push(error));
      connection.onreconnected((id) => returns.push(id));
      await connection.start();
      const first = connection.connectionId;

      await until("the client has come back twice", () => returns.length >= 2);

      assert.deepEqual(losses.slice(0, 2), [undefined, undefined]);
      assert.equal(new Set([first, ...returns]).size, 1 + returns.length);
      await connection.stop();
    });
  }

  test("a client with stateful reconnect does not try to resume the connection", async () => {
    const transport = transports.WebSockets;
    const stateful = (builder) => builder.withStatefulReconnect().withAutomaticReconnect([0, 0, 0]);
    const connection = build({ transport }, stateful);
    let returned;
    connection.onreconnected((id) => (returned = id));
    await connection.start();
    const first = connection.connectionId;

    await until("the client has come back", () => returned);

    assert.notEqual(returned, first);
    assert.match(service.log, /connected .*resumable=true/);
    await connection.stop();
  });

  test("a client without automatic reconnect is closed without an error, and the log has the reason", async () => {
    const connection = build({ transport: transports.WebSockets });
    const closed = new Promise((resolve) => connection.onclose((error) => resolve({ error })));
    await connection.start();

    const { error } = await within("the client is closed", closed);

    assert.equal(error, undefined);
    await service.logged(/connection ends .*reason="it has reached its maximum lifetime"/);
  });
});
