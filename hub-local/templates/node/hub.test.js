// Tests of the hub with real clients and a real service: `npm test`.

import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { after, before, test } from "node:test";
import * as signalR from "@microsoft/signalr";
import { start } from "../src/app.js";

let app;
const connections = [];

before(async () => {
  app = await start();
});

after(async () => {
  await Promise.all(connections.map((connection) => connection.stop()));
  await app?.stop();
});

/** A client that has joined the lobby. `said()` waits for the next message, for up to 10 seconds. */
async function connect(user) {
  const connection = new signalR.HubConnectionBuilder()
    .withUrl(`${app.url}/chat?user=${user}`)
    .configureLogging(signalR.LogLevel.None)
    .build();
  const received = new EventEmitter();
  for (const event of ["joined", "left", "said"]) {
    connection.on(event, (value) => received.emit(event, value));
  }
  const next = async (event) => {
    const signal = AbortSignal.timeout(10_000);
    return once(received, event, { signal }).catch(() => {
      throw new Error(`${user} did not receive "${event}" within 10 seconds`);
    });
  };
  connection.said = async () => (await next("said"))[0];
  connections.push(connection);
  await Promise.all([next("joined"), connection.start()]);
  return connection;
}

test("everyone receives what ada says", async () => {
  const [ada, bob] = [await connect("ada"), await connect("bob")];
  const heard = Promise.all([ada.said(), bob.said()]);

  await ada.invoke("say", "hi");

  assert.deepEqual(await heard, [
    { user: "ada", text: "hi" },
    { user: "ada", text: "hi" },
  ]);
});

test("an empty text is refused", async () => {
  const ada = await connect("ada");

  await assert.rejects(ada.invoke("say", " "), /Enter a text\.$/);
});

test("a connection needs a name", async () => {
  await assert.rejects(connect(""), /Enter a name\./);
});
