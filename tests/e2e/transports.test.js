// The official client over each transport and protocol, as seen by the service.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HttpTransportType, HubConnectionBuilder, JsonHubProtocol, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { Program, freePort, refusal, until, within } from "./lib.js";
import { startProxy } from "./proxy.js";

const MANY = 300;
const range = (first, count) => Array.from({ length: count }, (_, index) => first + index);

async function start(ports) {
  const { PORT = String(await freePort()), HUB_LOCAL_PORT = String(await freePort()) } = ports ?? {};
  const app = new Program("e2e-transports", [], { PORT, HUB_LOCAL_PORT });
  app.ports = { PORT, HUB_LOCAL_PORT };
  app.url = `http://127.0.0.1:${PORT}/travel`;
  await app.printed(new RegExp(`127\\.0\\.0\\.1:${PORT}\\b`));
  return app;
}

/** A client with exactly this transport and protocol, which records its events. */
function build(url, { transport, protocol, configure = (builder) => builder, token }) {
  const options = { transport, ...(token && { accessTokenFactory: () => token }) };
  const builder = new HubConnectionBuilder()
    .withUrl(url, options)
    .withHubProtocol(protocol)
    .configureLogging(LogLevel.None);
  const client = configure(builder).build();
  client.numbers = [];
  client.events = [];
  client.on("number", (number) => void client.numbers.push(number));
  client.on("question", (text) => `${text} yes`);
  client.onreconnecting(() => void client.events.push("reconnecting"));
  client.onreconnected(() => void client.events.push("reconnected"));
  client.onclose((error) => void client.events.push(`close ${error ?? ""}`));
  return client;
}

/** The log entry of the service for this connection. */
async function carriedBy(app, id) {
  const [, transport, protocol, resumable] = await app.logged(
    new RegExp(`connected connection="${id}".*transport="(\\w+)" protocol="(\\w+)" resumable=(\\w+)`),
  );
  return { transport, protocol, resumable: resumable === "true" };
}

const ways = [
  ["WebSockets", "json"],
  ["WebSockets", "messagepack"],
  ["ServerSentEvents", "json"],
  ["LongPolling", "json"],
  ["LongPolling", "messagepack"],
];
const protocols = { json: () => new JsonHubProtocol(), messagepack: () => new MessagePackHubProtocol() };

for (const [transport, protocol] of ways) {
  describe(`${transport} with ${protocol}`, () => {
    let app;
    const make = (configure) =>
      build(app.url, { transport: HttpTransportType[transport], protocol: protocols[protocol](), configure });
    const connect = async () => {
      const client = make();
      await within("the client connects", client.start());
      return client;
    };

    before(async () => {
      app = await start();
    });

    after(() => app.stop("SIGKILL"));

    test("the service used this transport and protocol", async () => {
      const client = await connect();

      const id = await client.invoke("identity");

      assert.equal(client.connectionId, id);
      assert.deepEqual(await carriedBy(app, id), { transport, protocol, resumable: false });
      await client.stop();
      assert.deepEqual(client.events, ["close "]);
    });

    test("calls are answered, with errors too", async () => {
      const client = await connect();

      assert.equal(await client.invoke("echo", "größe\n\u001e"), "größe\n\u001e");
      assert.equal(await client.invoke("echo", "x".repeat(200_000)), "x".repeat(200_000));
      assert.match(await refusal(client.invoke("refuse")), /not today/);
      assert.match(await refusal(client.invoke("refuseWithoutText")), /failed without an error text/);
      assert.notEqual(await refusal(client.invoke("noSuchMethod")), "");
      await client.stop();
    });

    test(`${MANY} messages arrive once each and in order, in both directions`, async () => {
      const [client, other] = [await connect(), await connect()];

      // Not awaited: the client keeps the order of its sends.
      const sends = range(0, MANY).map((number) => client.send("giveBack", number));
      await Promise.all(sends);
      await until("all have come back", () => client.numbers.length >= MANY);
      await other.invoke("countForAll", MANY, MANY);
      await until("all have arrived", () => client.numbers.length >= 2 * MANY && other.numbers.length >= MANY);

      assert.deepEqual(client.numbers, range(0, 2 * MANY));
      assert.deepEqual(other.numbers, range(MANY, MANY));
      await Promise.all([client.stop(), other.stop()]);
    });

    test("groups and client results work", async () => {
      const [client, other] = [await connect(), await connect()];

      await client.invoke("join", "g");
      await other.invoke("tell", "g", 7);
      await until("the group receives it", () => client.numbers.length > 0);
      assert.equal(await client.invoke("askMe", "really?"), "really? yes");

      assert.deepEqual(client.numbers, [7]);
      assert.deepEqual(other.numbers, []);
      await Promise.all([client.stop(), other.stop()]);
    });

    test("connected and disconnected are sent once each", async () => {
      const [client, observer] = [await connect(), await connect()];
      const id = client.connectionId;

      await client.stop();

      await until("it has left", async () => (await observer.invoke("passages", id))[1] > 0);
      assert.deepEqual(await observer.invoke("passages", id), [1, 1]);
      await observer.stop();
    });

    test("the client reconnects automatically when the service restarts", async () => {
      const client = make((builder) => builder.withAutomaticReconnect(Array(100).fill(200)));
      await client.start();
      const before = client.connectionId;

      await app.stop();
      await until("the client knows", () => client.events.includes("reconnecting"));
      app = await start(app.ports);
      await until("the client is back", () => client.events.includes("reconnected"));

      assert.notEqual(client.connectionId, before);
      assert.equal(await client.invoke("echo", "again"), "again");
      assert.deepEqual(await carriedBy(app, client.connectionId), { transport, protocol, resumable: false });
      assert.deepEqual(client.events, ["reconnecting", "reconnected"]);
      await client.stop();
    });
  });
}

/** Plans for the sockets after a break; see the proxy. */
const phases = {
  "once, in the middle of the traffic": [],
  "again before the sequence": [() => false],
  "again between the sequence and what is sent again": [
    // One frame in each direction passes: the sequence message.
    (direction, frames) => frames[direction] < 1,
  ],
  "three times within the window": [() => false, (direction, frames) => frames[direction] < 1],
  "again in the middle of what is sent again": [(direction, frames) => frames[direction] < 3],
};
const cuts = [
  ...Object.entries(phases).map(([phase, plans]) => [phase, plans, (proxy) => proxy.cut()]),
  ["while it is still open for the service", [], (proxy) => proxy.cutSilently()],
];

for (const protocol of Object.keys(protocols)) {
  describe(`stateful reconnect with ${protocol}`, () => {
    let app;
    let proxy;

    before(async () => {
      app = await start();
      proxy = await startProxy(Number(app.ports.HUB_LOCAL_PORT));
    });

    after(async () => {
      proxy.stop();
      await app.stop("SIGKILL");
    });

    /** Like the client of an app, but through the proxy. */
    const connect = async (url) => {
      const answer = await fetch(`${app.url}/negotiate`, { method: "POST" });
      const { accessToken: token, url: service } = await answer.json();
      const client = build(url + new URL(service).pathname + new URL(service).search, {
        transport: HttpTransportType.WebSockets,
        protocol: protocols[protocol](),
        token,
        configure: (builder) => builder.withStatefulReconnect(),
      });
      await within("the client connects", client.start());
      return client;
    };

    for (const [phase, plans, cut] of cuts) {
      test(`the connection survives a break ${phase}`, async () => {
        const client = await connect(proxy.url);
        const observer = await connect(`http://127.0.0.1:${app.ports.HUB_LOCAL_PORT}`);
        const id = client.connectionId;
        assert.deepEqual(await carriedBy(app, id), { transport: "WebSockets", protocol, resumable: true });
        const sockets = proxy.webSockets;

        const sends = [];
        for (const number of range(0, MANY)) {
          if (number === MANY / 3) {
            proxy.plans.push(...plans);
            cut(proxy);
          }
          sends.push(client.send("giveBack", number));
          if (number % 10 === 0) {
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        }
        await within("everything is sent", Promise.all(sends));
        await until("all have come back", () => client.numbers.length >= MANY);
        assert.equal(await within("the call is answered", client.invoke("echo", "still here")), "still here");
        await observer.invoke("countForAll", MANY, MANY);
        await until("all have arrived", () => client.numbers.length >= 2 * MANY);

        assert.deepEqual(client.numbers, range(0, 2 * MANY), "once each and in order");
        assert.equal(client.connectionId, id);
        assert.equal(await client.invoke("identity"), id);
        assert.deepEqual(client.events, []);
        assert.equal(proxy.webSockets, sockets + 1 + plans.length, "the number of breaks is as planned");
        assert.deepEqual(proxy.plans, []);
        assert.deepEqual(await observer.invoke("passages", id), [1, 0]);

        await client.stop();
        await until("it has left", async () => (await observer.invoke("passages", id))[1] > 0);
        assert.deepEqual(await observer.invoke("passages", id), [1, 1]);
        assert.deepEqual(client.events, ["close "]);
        await observer.stop();
      });
    }
  });
}
