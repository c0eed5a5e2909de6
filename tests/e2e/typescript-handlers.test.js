// The handlers that the file of the command `typescript` registers: the report of other methods, errors, reconnects.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as signalR10 from "@microsoft/signalr";
import * as signalR8 from "signalr-8";
import * as signalR9 from "signalr-9";
import { Program, freePort, program, refusal, root, until } from "./lib.js";
import { Types, folder, run } from "./typed.js";

const files = folder();
let app;
let url;
/** The names of the methods of the client. */
let names;
let createFormsHub;
let registerFormsClient;

before(async () => {
  const args = (name, ...more) => ["typescript", join(files, name), ...more];
  run(program("forms-app"), args("json.ts"));
  run(program("forms-app"), args("json.mjs", "--js"));
  names = [...new Types(join(files, "json.ts")).methods("FormsClient").keys()];
  ({ createFormsHub, registerFormsClient } = await import(join(files, "json.mjs")));
  const [PORT, HUB_LOCAL_PORT] = [String(await freePort()), String(await freePort())];
  app = new Program("forms-app", [], { PORT, HUB_LOCAL_PORT });
  await app.printed(new RegExp(`127\\.0\\.0\\.1:${PORT}\\b`));
  url = `http://127.0.0.1:${PORT}/forms`;
});

after(() => app.stop("SIGKILL"));

/** A handler for each method of the client. */
const all = (handler) => Object.fromEntries(names.map((name) => [name, (value) => handler(name, value)]));

// The build for pages, whose private fields have other names. It expects the global object of a page.
globalThis.self = globalThis;
const minified = createRequire(import.meta.url)("./node_modules/@microsoft/signalr/dist/browser/signalr.min.js");
for (const [client, signalR] of Object.entries({ 8: signalR8, 9: signalR9, 10: signalR10, "10, minified": minified })) {
  test(`a method that has no handler is reported once, and errors of handlers reach the hub: client ${client}`, async (context) => {
    const { LongPolling: transport } = signalR.HttpTransportType;
    const connection = new signalR.HubConnectionBuilder().withUrl(url, { transport, logger: signalR.LogLevel.None }).build();
    const warn = context.mock.method(console, "warn", () => {});
    const got = [];
    const handlers = all((name, value) => void got.push([name, value]));
    handlers.askMoods = async () => {
      throw new Error("no mood today");
    };
    const off = registerFormsClient(connection, handlers);
    const hub = createFormsHub(connection);
    await connection.start();

    await hub.call("Brand_New");
    await hub.call("brand_new");
    await hub.call("booleans");
    await until("the message arrives", () => got.some(([name]) => name === "booleans"));
    const warnings = warn.mock.calls.map((call) => call.arguments.join(" "));
    assert.deepEqual(warnings, ["The server called brand_new, which has no handler here. Generate the file again."]);
    assert.match(await refusal(hub.moods()), /no mood today/);
    assert.match(await refusal(hub.levels()), /didn't provide a result/);

    off();
    const before = got.length;
    await hub.call("booleans");
    await hub.nothing();
    off();
    connection.off("never");
    await hub.nothing();
    assert.equal(got.length, before);
    assert.equal(warn.mock.callCount(), 1);
    await connection.stop();
  });
}

test("the log of the client, if it is on, is the only report", async (context) => {
  const logged = [];
  const logger = { log: (level, text) => level >= signalR10.LogLevel.Warning && logged.push(text) };
  const connection = new signalR10.HubConnectionBuilder().withUrl(url).configureLogging(logger).build();
  const warn = context.mock.method(console, "warn", () => {});
  registerFormsClient(connection, all(() => {}));
  await connection.start();

  await createFormsHub(connection).call("new");
  await until("the client logs it", () => logged.includes("No client method with the name 'new' found."));

  assert.equal(warn.mock.callCount(), 0);
  await connection.stop();
});

test("two files on one connection report a method once", async (context) => {
  const connection = new signalR10.HubConnectionBuilder().withUrl(url).configureLogging(signalR10.LogLevel.None).build();
  const warn = context.mock.method(console, "warn", () => {});
  copyFileSync(join(files, "json.mjs"), join(files, "second.mjs"));
  const [first, second] = await Promise.all(["json", "second"].map((name) => import(join(files, `${name}.mjs`))));
  for (const { registerFormsClient } of [first, second]) {
    registerFormsClient(connection, all(() => {}));
  }
  await connection.start();

  await first.createFormsHub(connection).call("new");
  await first.createFormsHub(connection).nothing();

  assert.equal(warn.mock.callCount(), 1);
  await connection.stop();
});

test("handlers stay after a reconnect, until they are removed", async () => {
  const connection = new signalR10.HubConnectionBuilder()
    .withUrl(url)
    .withAutomaticReconnect([0, 0, 0])
    .configureLogging(signalR10.LogLevel.None)
    .build();
  const got = [];
  const handlers = all((name) => void got.push(name));
  const off = registerFormsClient(connection, handlers);
  const hub = createFormsHub(connection);
  await connection.start();
  const { connectionId } = connection;

  const again = new Promise((resolve) => connection.onreconnected(resolve));
  connection.connection.transport._webSocket.close();
  assert.notEqual(await again, connectionId);
  await hub.call("booleans");
  await until("the message arrives once", () => got.join() === "booleans");

  off();
  await hub.call("booleans");
  await hub.nothing();
  assert.deepEqual(got, ["booleans"]);
  await connection.stop();
});

for (const [title, logger] of Object.entries({
  "without a prototype": Object.assign(Object.create(null), { log() {} }),
  "with a field without a prototype": { log() {}, names: Object.create(null) },
  "with a symbol": { log() {}, kind: Symbol("kind") },
  "with a number": { log() {}, port: 8080 },
})) {
  test(`a logger ${title} does not change the registration, and is on`, async (context) => {
    const connection = new signalR10.HubConnectionBuilder().withUrl(url).configureLogging(logger).build();
    const warn = context.mock.method(console, "warn", () => {});
    registerFormsClient(connection, all(() => {}));
    await connection.start();

    await createFormsHub(connection).call("new");
    await createFormsHub(connection).nothing();

    assert.equal(warn.mock.callCount(), 0);
    await connection.stop();
  });
}

test("a missing handler is refused before any is registered", async () => {
  const registered = [];

  assert.throws(() => registerFormsClient({ on: (name) => registered.push(name) }, { booleans() {} }), {
    message: "the handler askBooleans is missing",
  });
  assert.deepEqual(registered, []);
});

test("a handler that every object has is missing, and one of a class is accepted", async () => {
  const text = readFileSync(join(root, "hub-runtime/src/typescript/helpers.js"), "utf8");
  const { register } = await import(`data:text/javascript,${encodeURIComponent(`${text}export { register };`)}`);
  class Handlers {
    toString() {
      return "";
    }
  }
  const connection = { on() {}, off() {} };

  assert.throws(() => register(connection, {}, { toString: "message" }), { message: "the handler toString is missing" });
  register(connection, new Handlers(), { toString: "message" })();
});
