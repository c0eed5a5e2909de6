// The official client while the app or the service is killed under load.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { cleanUp, until, within } from "./lib.js";
import { command } from "./sites.js";

/** A client that reconnects automatically and records its events. */
async function connect(url, configure = (builder) => builder) {
  const builder = new HubConnectionBuilder()
    .withUrl(url, { transport: HttpTransportType.WebSockets })
    .withAutomaticReconnect(Array(600).fill(100))
    .configureLogging(LogLevel.None);
  const client = configure(builder).build();
  client.events = [];
  client.numbers = [];
  client.on("number", (number) => void client.numbers.push(number));
  client.onreconnecting(() => void client.events.push("reconnecting"));
  client.onreconnected(() => void client.events.push("reconnected"));
  client.onclose(() => void client.events.push("close"));
  await within("the client connects", client.start());
  return client;
}

/** Makes calls one after another until `stop()`, and returns their results. */
function load(client) {
  const results = { answered: 0, errors: [] };
  let going = true;
  const running = (async () => {
    for (let number = 0; going; number += 1) {
      try {
        assert.equal(await client.invoke("echo", number), number);
        results.answered += 1;
      } catch (error) {
        results.errors.push(error.message);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  })();
  results.stop = () => {
    going = false;
    return within("the calls end", running);
  };
  return results;
}

describe("killed under load", () => {
  let site;

  before(async () => {
    site = await command();
  });

  after(cleanUp);

  test("the app: calls fail, the connection stays open, and calls succeed after the restart", async () => {
    const client = await connect(site.url);
    const id = client.connectionId;
    const calls = load(client);
    await until("calls are answered", () => calls.answered > 20);

    await site.app.stop("SIGKILL");
    await until("calls fail", () => calls.errors.length > 2);
    site.app = await site.start();
    const before = calls.answered;
    await until("calls are answered again", () => calls.answered > before + 20);
    await calls.stop();

    for (const text of calls.errors) {
      assert.match(text, /^Invocation failed, (status code 500$|error: )/);
    }
    assert.deepEqual([client.events, client.connectionId], [[], id]);
    await client.invoke("countForAll", 1);
    await until("the new app reaches it", () => client.numbers.length === 1);
    await client.stop();
  });

  test("the service: clients reconnect with new connections, and the app keeps running", async () => {
    const client = await connect(site.url);
    const id = client.connectionId;
    const calls = load(client);
    await until("calls are answered", () => calls.answered > 20);

    await site.service.stop("SIGKILL");
    await until("the client notices", () => client.events.includes("reconnecting"));
    site.service = await site.startService();
    await until("the client is back", () => client.events.includes("reconnected"));
    const before = calls.answered;
    await until("calls are answered again", () => calls.answered > before + 20);
    await calls.stop();

    assert.ok(site.app.lives);
    assert.deepEqual(client.events, ["reconnecting", "reconnected"]);
    assert.notEqual(client.connectionId, id);
    assert.equal(await client.invoke("identity"), client.connectionId);
    await client.invoke("countForAll", 1);
    await until("the app reaches it", () => client.numbers.length === 1);
    await client.stop();
  });

  test("the service: a client with stateful reconnect gets a new connection", async () => {
    const client = await connect(site.url, (builder) => builder.withStatefulReconnect());
    const id = client.connectionId;
    assert.equal(await client.invoke("echo", 1), 1);

    await site.service.stop("SIGKILL");
    site.service = await site.startService();
    await until("the client is back", () => client.events.includes("reconnected"));

    assert.deepEqual(client.events, ["reconnecting", "reconnected"]);
    assert.notEqual(client.connectionId, id);
    assert.equal(await within("the call is answered", client.invoke("echo", 2)), 2);
    await client.stop();
  });
});
