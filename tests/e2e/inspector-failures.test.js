// Each failure that hub-local's README explains is shown by the inspector with the same advice.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync, mkdtempSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { after, afterEach, before, test } from "node:test";
import { Browser } from "./browser.js";
import { App, client, events, openPage, startService, status } from "./inspector.js";
import { cleanUp, freePort, root, until } from "./lib.js";

// The WebSocket of the official client.
const require = createRequire(import.meta.url);
const WebSocket = createRequire(require.resolve("@microsoft/signalr"))("ws");

const KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
const browser = new Browser();
let [app, raw] = [];

before(() => browser.start());

afterEach(async () => {
  await browser.closeTabs();
  await cleanUp();
  await app?.stop();
  raw?.close();
  [app, raw] = [];
  assert.deepEqual(browser.mistakes.splice(0), []);
});

after(() => browser.stop());

/** What to check for a cause, by the page of causes: without the marks of code. */
function advice(cause) {
  const [, section] = readFileSync(`${root}/docs/reference/causes.md`, "utf8").split(`\n### ${cause}\n`);
  return section.match(/^Check (.*)\.$/m)[1].replaceAll("`", "");
}

/** Opens the event with a cause in the page, and compares its advice with the page of causes. */
async function shown(service, tab, cause, text) {
  const event = await until(`an event with the cause ${cause}`, async () => (await events(service)).findLast((it) => it.cause === cause), 15_000);
  await tab.goto("about:blank");
  await tab.goto(`${service.page}&event=${event.seq}`);
  const trouble = tab.locator("#detail .trouble");
  await trouble.waitFor();
  assert.match(await trouble.locator(".why").textContent(), text, cause);
  const fix = (await trouble.locator(".fix").textContent()).replace(/^Check /, "");
  assert.equal(fix, event.fix.replaceAll("`", ""));
  assert.equal(fix, advice(cause));
  assert.equal(await trouble.locator(".cause").textContent(), `Cause ${cause}`);
}

/** A server that answers each request with the same bytes. */
async function rawServer(bytes) {
  raw = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => (bytes === undefined ? socket.destroy() : socket.end(bytes)));
  });
  raw.listen(0, "127.0.0.1");
  await once(raw, "listening");
  return `http://127.0.0.1:${raw.address().port}/api`;
}

test("answers of the app", async () => {
  app = await new App().start();
  const service = await startService({ app });
  const ada = await client(service, { user: "ada" });
  const tab = await openPage(browser, service);

  for (const [code, cause] of [
    [302, "redirect"],
    [401, "unauthorized"],
    [403, "forbidden"],
    [404, "not_found"],
    [405, "method_not_allowed"],
    [504, "slow_app"],
    [413, "large_body"],
    [415, "content_type"],
    [429, "throttled"],
    [400, "bad_request"],
    [503, "not_available"],
    [500, "app_failed"],
    [202, "other_status"],
  ]) {
    app.answers.fail = status(code, `the body of ${code}`);
    await assert.rejects(ada.invoke("fail", code));
    await shown(service, tab, cause, new RegExp(`${code}`));
    await tab.locator('#detail .step[data-kind="answer"]').getByText(`the body of ${code}`).waitFor();
  }
  app.answers.fail = (answer) => answer.end("no completion");
  await assert.rejects(ada.invoke("fail"));
  await shown(service, tab, "no_completion", /is no completion of the call/);
});

for (const [cause, bytes, text] of [
  ["no_response", undefined, /nothing was answered|cannot be reached/],
  ["not_http", "SSH-2.0-OpenSSH_9.2\r\n\r\n", /not HTTP\/1\.1/],
  ["cut_response", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut", /cannot be read/],
  ["long_head", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(200)}\r\n`, /header lines|head/],
  ["invalid_response", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", /chunk/],
]) {
  test(`an app whose response is wrong: ${cause}`, async () => {
    const service = await startService({ app: await rawServer(bytes) });
    const ada = await client(service);
    await assert.rejects(ada.invoke("fail"));
    await shown(service, await openPage(browser, service), cause, text);
  });
}

test("an app that is not there, or does not answer", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  raw = silent;
  for (const [cause, upstream, text] of [
    ["connection_refused", `http://127.0.0.1:${await freePort()}/`, /cannot be reached/],
    ["timed_out", `http://127.0.0.1:${silent.address().port}/`, /did not respond in time/],
  ]) {
    const service = await startService({ app: upstream, args: ["--upstream-time", "1s"] });
    const ada = await client(service);
    await ada.invoke("fail").catch(() => {});
    const tab = await openPage(browser, service);
    await shown(service, tab, cause, text);
    if (cause === "connection_refused") {
      await tab.locator('#app-trouble .fix').getByText(/that the app runs, and listens on the port/).waitFor();
    }
  }
});

test("no template of the settings matches a call", async () => {
  const folder = mkdtempSync(`${tmpdir()}/inspector-`);
  const Templates = [{ UrlTemplate: "http://127.0.0.1:1/{event}", HubPattern: "chat", EventPattern: "other" }];
  writeFileSync(`${folder}/settings.json`, JSON.stringify({ UpstreamSettings: { Templates } }));
  const service = await startService({ args: ["-c", `${folder}/settings.json`] });
  const ada = await client(service);
  await ada.invoke("fail").catch(() => {});
  await shown(service, await openPage(browser, service), "no_template", /no upstream template matches/);
});

test("no upstream is set at all", async () => {
  const service = await startService({ args: [] });
  const ada = await client(service);
  await ada.invoke("fail").catch(() => {});
  const tab = await openPage(browser, service);
  await shown(service, tab, "no_upstream", /no upstream is configured/);
});

function token(claims, key = KEY) {
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded(claims)}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

function negotiate(service, bearer, headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(`${service.origin}/client/negotiate?hub=chat&negotiateVersion=1`, {
      method: "POST",
      headers: { ...(bearer && { Authorization: `Bearer ${bearer}` }), ...headers },
    });
    sent.on("response", (answer) => resolve(answer.resume().statusCode)).on("error", reject).end();
  });
}

test("tokens that are refused", async () => {
  const service = await startService({});
  const tab = await openPage(browser, service);
  const now = Math.floor(Date.now() / 1000);
  const good = { aud: `${service.origin}/client/?hub=chat`, exp: now + 600, nameid: "ada" };
  for (const [cause, bearer] of [
    ["no_token", ""],
    ["long_token", `${"x".repeat(5000)}`],
    ["invalid_token", "no-token-at-all"],
    ["wrong_key", token(good, "another-key-of-at-least-16-bytes")],
    ["expired_token", token({ ...good, exp: now - 600 })],
    ["early_token", token({ ...good, nbf: now + 600 })],
    ["wrong_audience", token({ ...good, aud: `${service.origin}/client/?hub=other` })],
    ["wrong_user", token({ ...good, nameid: { first: "ada" } })],
  ]) {
    assert.ok([401, 413].includes(await negotiate(service, bearer)), cause);
    await shown(service, tab, cause, /./);
  }
});

test("hosts, origins and requests of clients that are refused", async () => {
  const service = await startService({});
  const tab = await openPage(browser, service);
  const now = Math.floor(Date.now() / 1000);
  const bearer = token({ aud: `${service.origin}/client/?hub=chat`, exp: now + 600 });

  await negotiate(service, bearer, { Host: "evil.example" });
  await shown(service, tab, "wrong_host", /evil\.example/);
  await negotiate(service, bearer, { Origin: "http://evil.example" });
  await shown(service, tab, "wrong_origin", /evil\.example/);
  await fetch(`${service.origin}/client/?hub=chat&id=AAAAAAAAAAAAAAAAAAAAAA`, {
    method: "POST",
    headers: { Authorization: `Bearer ${bearer}` },
    body: "x",
  });
  await shown(service, tab, "unknown_connection", /./);
  await fetch(`${service.origin}/api/hubs/chat/:nothing?api-version=2022-06-01`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token({ aud: `${service.origin}/api/hubs/chat/:nothing`, exp: now + 600 })}` },
  });
  await shown(service, tab, "unknown_operation", /./);
});

test("what clients send wrongly", async () => {
  const service = await startService({ args: ["--max-message", "4KiB"] });
  const tab = await openPage(browser, service);
  const now = Math.floor(Date.now() / 1000);
  const bearer = token({ aud: `${service.origin}/client/?hub=chat`, exp: now + 600 });
  const send = async (...messages) => {
    const socket = new WebSocket(`${service.origin.replace("http", "ws")}/client/?hub=chat&access_token=${bearer}`);
    await once(socket, "open");
    messages.forEach((text) => socket.send(text));
    await once(socket, "close");
  };

  await send('{"protocol":"json","version":99}\x1e');
  await shown(service, tab, "handshake", /./);
  await send('{"protocol":"json","version":1}\x1e', "no hub message\x1e");
  await shown(service, tab, "malformed", /./);
  await send('{"protocol":"json","version":1}\x1e', `{"type":1,"target":"a","arguments":["${"x".repeat(5000)}"]}\x1e`);
  await shown(service, tab, "large_message", /maximum message size/);
});
