// The section "An app in any language" of hub-local's README, compared with what the service sends and accepts.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { Program, cleanUp, connect, freePort, refusal, root, until } from "./lib.js";

const KEY = "a-key-of-the-test-of-the-readme-0123456789";
const section = readFileSync(join(root, "hub-local/README.md"), "utf8")
  .split("## An app in any language\n")[1]
  .split("\n## ")[0];

/** The code spans that start with `start`, in order. */
const spans = (start) => section.split("`").filter((text, index) => index % 2 === 1 && text.startsWith(start));

/** The bytes of a code span in hex; the id `7` of the README is replaced with that of the call. */
const bytes = (hex, id) => Buffer.from(hex.replace("a1 37", `a1 ${Buffer.from(id).toString("hex")}`).replaceAll(" ", ""), "hex");

function token(audience) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { aud: audience, nameid: "ada", role: ["a", "b"], exp: Math.floor(Date.now() / 1000) + 60 };
  const unsigned = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${unsigned}.${createHmac("sha256", KEY).update(unsigned).digest("base64url")}`;
}

describe("the README on apps in any language", () => {
  let app;
  let url;
  let respond;
  let calls = [];

  before(async () => {
    const port = String(await freePort());
    app = createServer(async (request, response) => {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      if (request.url.startsWith("/room/negotiate")) {
        const client = `http://localhost:${port}/client/?hub=room`;
        response.end(JSON.stringify({ url: client, accessToken: token(client) }));
        return;
      }
      const call = { headers: request.headers, body: Buffer.concat(pieces) };
      calls.push(call);
      response.end(call.headers["x-asrs-category"] === "messages" ? respond(call) : undefined);
    }).listen(0, "127.0.0.1");
    await once(app, "listening");
    url = `http://127.0.0.1:${app.address().port}`;
    const service = new Program("hub-local", ["start", "--port", port, "--upstream", `${url}/upstream`], {
      HUB_LOCAL_KEY: KEY,
    });
    await service.printed(/Ctrl\+C stops/);
  });

  after(async () => {
    await cleanUp();
    app.close();
    app.closeAllConnections();
  });

  const jsonId = (body) => JSON.parse(body).invocationId;

  test("the headers and JSON bodies of upstream calls are those of the table", async () => {
    calls = [];
    const completions = spans('{"type":3,"invocationId":"7"');
    assert.equal(completions.length, 3);
    let next;
    respond = ({ body }) => `${completions[next].replace('"7"', `"${jsonId(body)}"`)}\x1e`;
    const client = await connect(`${url}/room`);

    next = 0;
    assert.equal(await client.invoke("add", 1, 2), 3);
    next = 1;
    assert.equal(await client.invoke("add", 1, 2), undefined);
    next = 2;
    assert.equal(await refusal(client.invoke("add", 1, 2)), "text");
    await client.stop();
    await until("the app is told", () => calls.length === 5);

    const [connected, invoked, , , disconnected] = calls.map(({ body }) => body.toString());
    const [invoke] = spans('{"type":1,');
    assert.deepEqual([connected], spans('{"type":10}'));
    assert.equal(invoked, invoke.replace('"7"', `"${jsonId(invoked)}"`));
    assert.equal(disconnected, spans('{"Type":11')[0]);
    const sent = new Set(calls.flatMap(({ headers }) => Object.keys(headers).filter((name) => name.startsWith("x-"))));
    const named = spans("X-").map((name) => name.toLowerCase());
    assert.deepEqual([...sent].sort(), [...new Set(named)].sort());
    const { headers } = calls[1];
    const signature = createHmac("sha256", KEY).update(headers["x-asrs-connection-id"]).digest("hex");
    assert.equal(headers["x-asrs-signature"], `sha256=${signature.toUpperCase()}`);
    assert.match(headers["x-asrs-user-claims"], /\brole: a, role: b\b/);
    assert.match(headers["x-asrs-client-query"], /^\?hub=room&id=[^&]+$/);
    assert.deepEqual([headers["x-asrs-user-id"], headers["x-asrs-event"]], ["ada", "add"]);
  });

  test("the MessagePack bytes are those of the table", async () => {
    calls = [];
    const [request] = spans("96 01");
    const [whole] = spans("07 95");
    const bodies = [...spans("95 03"), ...spans("94 03")];
    assert.equal(bodies.length, 3);
    const id = ({ body }) => body.subarray(4, 5).toString();
    const framed = (hex, call) => Buffer.concat([Buffer.from([hex.split(" ").length]), bytes(hex, id(call))]);
    const [result, error, none] = bodies;
    let next;
    respond = (call) => framed(next, call);
    const client = await connect(`${url}/room`, { protocol: new MessagePackHubProtocol() });

    next = result;
    assert.equal(await client.invoke("add", 1, 2), 3);
    next = none;
    assert.equal(await client.invoke("add", 1, 2), undefined);
    next = error;
    assert.equal(await refusal(client.invoke("add", 1, 2)), "text");

    const [, call] = calls;
    assert.deepEqual(call.body, bytes(request, id(call)));
    assert.deepEqual(framed(result, call), bytes(whole, id(call)));
    assert.equal(call.headers["content-type"], "application/x-msgpack");
    await client.send("add", 1, 2);
    await until("it arrives", () => calls.length === 5);
    assert.equal(calls[4].body[3], 0xc0);
    await client.stop();
  });
});
