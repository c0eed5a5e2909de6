// The reason of a close stands in the hub's close message and in the WebSocket close frame. The official client reports
// what it reports for the close message alone: it ignores the reason of a close frame with status 1000.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";
import * as signalR from "@microsoft/signalr";
import { Program, connect, freePort, within } from "./lib.js";

const KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

function signed(audience) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ aud: audience, exp: Math.floor(Date.now() / 1000) + 600 })}`;
  return `${text}.${createHmac("sha256", KEY).update(text).digest("base64url")}`;
}

describe("reasons of closes", () => {
  let service;
  let port;
  let client;

  before(async () => {
    port = await freePort();
    service = new Program("hub-local", ["start", "--port", String(port)], {});
    await service.printed(/AccessKey=/);
    client = `http://127.0.0.1:${port}/client/?hub=chat`;
  });

  after(() => service.stop("SIGKILL"));

  const close = async (connection, reason) => {
    const resource = `http://127.0.0.1:${port}/api/hubs/chat/connections/${connection.connectionId}`;
    const url = `${resource}?reason=${encodeURIComponent(reason)}`;
    const headers = { Authorization: `Bearer ${signed(resource)}` };
    assert.equal((await fetch(url, { method: "DELETE", headers })).status, 200);
  };

  const transports = signalR.HttpTransportType;
  for (const transport of [transports.WebSockets, transports.ServerSentEvents, transports.LongPolling]) {
    for (const reason of ["bye", `${"x".repeat(122)}ö and more`, ""]) {
      test(`${transports[transport]}: the client reports "${reason.slice(0, 10)}" of ${reason.length} characters`, async () => {
        const connection = await connect(client, { token: signed(client), options: { transport } });
        const closed = new Promise((resolve) => connection.onclose(resolve));

        await close(connection, reason);

        const error = await within("the client is closed", closed);
        const expected = reason === "" ? undefined : `Server returned an error on close: ${reason}`;
        assert.equal(error?.message, expected);
      });
    }
  }
});
