// Values of each type over the real service with the official client, in JSON and MessagePack: as argument, message to
// clients, client result and result. docs/values.md has the table.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { Program, connect, freePort, refusal, until } from "./lib.js";

const AT = new Date("2026-11-28T10:00:00.123Z");
const TEXT = "2026-11-28T10:00:00.123Z";
const BYTES = Uint8Array.from([1, 2, 255]);

describe("values", () => {
  let app;
  let url;

  before(async () => {
    const [PORT, HUB_LOCAL_PORT] = [String(await freePort()), String(await freePort())];
    app = new Program("values-app", [], { PORT, HUB_LOCAL_PORT });
    await app.printed(new RegExp(`127\\.0\\.0\\.1:${PORT}\\b`));
    url = `http://127.0.0.1:${PORT}/values`;
  });

  after(() => app.stop("SIGKILL"));

  /** Clients of both protocols that answer `asked` with the value that is set. */
  async function clients() {
    const answer = {};
    const options = { listen: ["told"], on: { asked: () => answer.value } };
    const json = await connect(url, options);
    const packed = await connect(url, { ...options, protocol: new MessagePackHubProtocol() });
    return { answer, json, packed, stop: () => Promise.all([json.stop(), packed.stop()]) };
  }

  /** Each row: the method, a value to send and the value that comes back, in JSON and in MessagePack. */
  async function check(rows) {
    const { answer, stop, ...both } = await clients();
    for (const [method, json, packed] of rows) {
      for (const [client, [sent, expected]] of [[both.json, json], [both.packed, packed]]) {
        const name = `${method} ${client === both.json ? "JSON" : "MessagePack"}`;
        const before = client.got("told").length;
        answer.value = sent;
        assert.deepEqual(await client.invoke(method, sent), expected, `${name}: result after a client result`);
        await until("it has arrived", () => client.got("told").length > before);
        assert.deepEqual(client.got("told")[before], [expected], `${name}: message`);
      }
    }
    await stop();
  }

  /** The same value in both directions. */
  const same = (value) => [value, value];

  test("plain values", async () => {
    const plain = same({
      yes: true,
      wide: Number.MAX_SAFE_INTEGER,
      low: -7,
      half: 0.5,
      letter: "é",
      unit: null,
      none: null,
      pair: [1, "x"],
    });
    await check([["plain", plain, plain]]);
  });

  test("bytes", async () => {
    await check([
      ["byteBuf", same("AQL/"), same(BYTES)],
      ["byteBuf", [[1, 2, 255], "AQL/"], [[1, 2, 255], BYTES]],
      ["bytes", same(["AQL/", null]), same([BYTES, null])],
      ["numbers", ["AQL/", [1, 2, 255]], [BYTES, [1, 2, 255]]],
      ["numbers", same([1, 2, 255]), same([1, 2, 255])],
      [
        "adapted",
        [{ binary: "AQL/", list: "AQL/" }, { binary: "AQL/", list: [1, 2, 255] }],
        [{ binary: BYTES, list: BYTES }, { binary: BYTES, list: [1, 2, 255] }],
      ],
    ]);
  });

  test("dates", async () => {
    const text = [AT, TEXT];
    const clock = [AT, TEXT.slice(0, -1)];
    await check([
      ["chrono", text, text],
      ["jiff", text, text],
      ["naive", clock, clock],
      ["stamp", text, same(AT)],
      ["time", text, same(AT)],
    ]);
  });

  test("keys of maps", async () => {
    const [flags, numbers] = [same({ true: 1 }), same({ 7: 1, "-7": 2 })];
    await check([
      ["flags", flags, flags],
      ["byNumber", numbers, numbers],
    ]);
  });

  test("values of any type", async () => {
    const plain = { a: [1, null, "x"] };
    const packed = [{ ...plain, data: BYTES, at: AT }, { ...plain, data: "AQL/", at: TEXT }];
    await check([
      ["value", same(plain), packed],
      ["raw", same(plain), packed],
    ]);
  });

  test("undefined", async () => {
    const { json, packed, stop } = await clients();
    for (const client of [json, packed]) {
      const value = { count: undefined, name: undefined };
      assert.deepEqual(await client.invoke("defaults", value), { count: 0, name: null });
    }
    assert.match(await refusal(json.invoke("defaults", { count: null })), /invalid type: null, expected u32/);
    await stop();
  });

  test("a value without a form is an error, and nothing is sent", async () => {
    const { answer, json, packed, stop } = await clients();
    assert.equal(await packed.invoke("formless"), true);
    answer.value = [1];
    assert.deepEqual(await packed.invoke("numbers", [1]), [1], "the connection still works");
    assert.equal(json.got("told").length, 0);
    assert.deepEqual(packed.got("told"), [[[1]]]);
    await stop();
  });
});
