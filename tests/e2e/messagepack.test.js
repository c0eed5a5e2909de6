// The official client with MessagePack, alone and together with a JSON client: with the service inside
// the app, and with the service in a separate process.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { connect, refusal, until, within } from "./lib.js";
import { embedded, twoProcesses } from "./sites.js";

const FLOOD = 500;
const DAY = new Date("2026-11-20T06:36:52.123Z");
const PARCEL = {
  label: "größe 😀",
  content: Uint8Array.from([0, 1, 127, 128, 255]),
  sentAt: DAY,
  weight: 1.5,
  size: { custom: { height: 7, serial: Number.MAX_SAFE_INTEGER } },
};

/** A MessagePack client. */
function packed(url, options = {}) {
  return connect(url, { ...options, protocol: new MessagePackHubProtocol() });
}

/** Seconds and nanoseconds of a date. */
function parts(date) {
  return [Math.floor(date.getTime() / 1000), (date.getTime() % 1000) * 1_000_000];
}

for (const [name, begin] of Object.entries({ "embedded service": embedded, "two processes": twoProcesses })) {
  describe(`MessagePack, ${name}`, () => {
    let site;

    before(async () => {
      site = await begin();
    });

    after(async () => {
      await Promise.all(site.programs.map((program) => program.stop("SIGKILL")));
    });

    test("the client requests MessagePack, and the frames are binary", async () => {
      const frames = [];
      const protocol = new MessagePackHubProtocol();
      const parse = protocol.parseMessages.bind(protocol);
      protocol.parseMessages = (input, logger) => {
        frames.push(input instanceof ArrayBuffer);
        return parse(input, logger);
      };
      const client = await connect(site.url, { protocol });

      assert.equal(await client.invoke("echo", 7), 7);

      assert.ok(frames.length > 0 && frames.every((binary) => binary));
      await client.stop();
    });

    test(`${FLOOD} messages go both ways once each and in order`, async () => {
      const client = await packed(site.url, { listen: ["number"] });
      const numbers = Array.from({ length: FLOOD }, (_, number) => [number]);

      await client.invoke("countForMe", FLOOD);
      await until("all have arrived", () => client.got("number").length >= FLOOD);
      await Promise.all(numbers.map(([number]) => client.send("giveBack", number)));
      await until("all have come back", () => client.got("number").length >= 2 * FLOOD, 60_000);

      assert.deepEqual(client.got("number"), [...numbers, ...numbers]);
      await client.stop();
    });

    test("bytes are bytes", async () => {
      const client = await packed(site.url);
      const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251);

      const reversed = await client.invoke("reverse", bytes);

      assert.ok(reversed instanceof Uint8Array);
      assert.deepEqual(Array.from(reversed), Array.from(bytes).reverse());
      assert.equal((await client.invoke("reverse", new Uint8Array())).length, 0);
      await client.stop();
    });

    test("dates bind to both crates, in both protocols and in all sizes", async () => {
      for (const client of [await packed(site.url), await connect(site.url)]) {
        for (const date of [
          DAY,
          new Date("2026-11-20T06:36:52Z"),
          new Date("1969-07-20T20:17:40.500Z"),
          new Date("2600-01-01T00:00:00.001Z"),
        ]) {
          const read = await client.invoke("readMoments", date, { chrono: date, time: date });

          const [seconds, nanoseconds] = parts(date);
          const expected = [seconds, ((nanoseconds % 1e9) + 1e9) % 1e9];
          assert.deepEqual(read, [expected, expected, expected], date.toISOString());
        }
        await client.stop();
      }
    });

    test("a broadcast reaches both protocols, each with its own values", async () => {
      const binary = await packed(site.url, { listen: ["parcel"] });
      const text = await connect(site.url, { listen: ["parcel"] });

      await binary.invoke("post", PARCEL);
      const { content, sentAt, ...rest } = PARCEL;
      for (const client of [binary, text]) {
        await until("it has arrived", () => client.got("parcel").length === 1);
        const [[parcel]] = client.got("parcel");
        const { content: got, sentAt: at, ...others } = parcel;
        assert.deepEqual(others, rest);
        // Bytes are base64 text in JSON.
        const bytes = client === binary ? got : Buffer.from(got, "base64");
        assert.deepEqual(Array.from(bytes), Array.from(content));
        assert.equal(new Date(at).getTime(), sentAt.getTime());
        assert.equal(got instanceof Uint8Array, client === binary);
      }

      await text.invoke("post", { ...PARCEL, content: [1, 2], weight: null, size: "small" });
      await until("it has arrived", () => binary.got("parcel").length === 2);
      const [parcel] = binary.got("parcel")[1];
      assert.deepEqual([parcel.size, parcel.weight, Array.from(parcel.content)], ["small", null, [1, 2]]);
      await Promise.all([binary.stop(), text.stop()]);
    });

    test("an object with the key __proto__ does not disconnect MessagePack clients", async () => {
      const binary = await packed(site.url, { listen: ["relayed"] });
      const text = await connect(site.url, { listen: ["relayed"] });

      await text.invoke("relay", JSON.parse('{"__proto__":{"admin":true},"list":[{"__proto__":1,"kept":2}]}'));

      await until("it has arrived", () => binary.got("relayed").length === 1);
      assert.deepEqual(binary.got("relayed"), [[{ list: [{ kept: 2 }] }]]);
      await until("it has arrived", () => text.got("relayed").length === 1);
      assert.ok(Object.hasOwn(text.got("relayed")[0][0], "__proto__"));
      assert.equal(await binary.invoke("echo", 7), 7);
      await Promise.all([binary.stop(), text.stop()]);
    });

    test("a group has members of both protocols", async () => {
      const binary = await packed(site.url, { listen: ["number"] });
      const text = await connect(site.url, { listen: ["number"] });
      await Promise.all([binary.invoke("join", "g"), text.invoke("join", "g")]);

      await text.invoke("numberToGroup", "g", 5);

      for (const client of [binary, text]) {
        await until("it has arrived", () => client.got("number").length === 1);
        assert.deepEqual(client.got("number"), [[5]]);
        await client.stop();
      }
    });

    test("one client invokes another through the hub, in any combination of protocols", async () => {
      const question = (text) => {
        if (text === "impossible") {
          throw new Error("I do not know");
        }
        return `42 is ${text}`;
      };
      const oracle = await packed(site.url, { on: { question } });
      const id = await oracle.invoke("identity");

      for (const asker of [await packed(site.url), await connect(site.url), oracle]) {
        assert.equal(await asker.invoke("ask", id, "the answer"), "42 is the answer");
        assert.match(await refusal(asker.invoke("ask", id, "impossible")), /I do not know/);
        if (asker !== oracle) {
          await asker.stop();
        }
      }
      await oracle.stop();
    });

    test("binding errors name the argument, and internal errors contain an id", async () => {
      const client = await packed(site.url);

      assert.match(await refusal(client.invoke("echo", "x")), /argument 1 \(`number`\): invalid type: string "x"/);
      assert.match(await refusal(client.invoke("echo")), /argument 1 \(`number`\) is missing/);
      assert.match(await refusal(client.invoke("echo", 1, 2)), /too many arguments/);
      assert.match(await refusal(client.invoke("unknown")), /Unknown hub method 'unknown'/);
      assert.match(await refusal(client.invoke("fail")), /error id/);
      assert.equal(await client.invoke("echo", 1), 1, "the connection still works");
      await client.stop();
    });

    test("the client reconnects automatically when the close allows it", async () => {
      const client = new HubConnectionBuilder()
        .withUrl(site.url)
        .withHubProtocol(new MessagePackHubProtocol())
        .withAutomaticReconnect([0])
        .configureLogging(LogLevel.None)
        .build();
      await within("it connects", client.start());
      const first = client.connectionId;
      const back = new Promise((resolve) => client.onreconnected(resolve));

      // Longer than the service accepts: it closes with an error and allows a reconnect.
      client.send("echo", new Uint8Array(2 * 1024 * 1024)).catch(() => {});

      assert.notEqual(await within("it is back", back), first);
      assert.equal(await client.invoke("echo", 1), 1);
      await client.stop();
    });
  });
}
