// Pages of other sites in a real browser, and the official client: `hub-local start` with the well-known key, and
// the chat with its embedded service. The browser resolves evil.example to this machine, as a page does that
// points its own name here (DNS rebinding).

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { HttpTransportType } from "@microsoft/signalr";
import { Browser } from "./browser.js";
import { Program, cleanUp, connect, freePort, refusal, startChat } from "./lib.js";

const WELL_KNOWN_KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
const browser = new Browser();
const blank = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end("<title>blank</title>"));
let [service, chat, hub, token] = [];

/** A token as any page can make it. */
function wellKnownToken(audience) {
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { aud: audience, exp: Math.floor(Date.now() / 1000) + 3600, nameid: "mallory" };
  const signed = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded(claims)}`;
  return `${signed}.${createHmac("sha256", WELL_KNOWN_KEY).update(signed).digest("base64url")}`;
}

before(async () => {
  const port = String(await freePort());
  service = new Program("hub-local", ["start", "--port", port]);
  await service.printed(/Ctrl\+C stops/);
  hub = `http://127.0.0.1:${port}/client/?hub=chat`;
  token = wellKnownToken(hub);
  chat = await startChat({ CHAT_SESSION_KEY: "a key for the tests of pages, 32 bytes" });
  blank.listen(0, "127.0.0.1");
  await once(blank, "listening");
  await browser.start();
});

afterEach(() => browser.closeTabs());

after(async () => {
  await browser.stop();
  blank.close();
  await cleanUp();
});

const pageAt = (host) => browser.openTab(`http://${host}:${blank.address().port}/`);

/** Whether a WebSocket and a request of a page reach the service. */
const reaches = (tab) =>
  tab.evaluate(
    async ([url, token]) => {
      const opened = await new Promise((resolve) => {
        const socket = new WebSocket(`${url.replace("http", "ws")}&access_token=${token}`);
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
      });
      const headers = { Authorization: `Bearer ${token}` };
      const negotiated = fetch(url.replace("client/", "client/negotiate"), { method: "POST", headers });
      return [opened, await negotiated.then((answer) => answer.ok).catch(() => false)];
    },
    [hub, token],
  );

test("a foreign page cannot use the well-known key", async () => {
  assert.deepEqual(await reaches(await pageAt("evil.example")), [false, false]);
  await service.logged(/--allow-origin http:\/\/evil\.example/);

  for (const transport of [HttpTransportType.WebSockets, HttpTransportType.ServerSentEvents, HttpTransportType.LongPolling]) {
    const options = { transport, headers: { Origin: "http://evil.example" } };
    assert.match(await refusal(connect(hub, { token, options })), /403/);
  }
});

test("two tabs, a page on another port and a native client use the well-known key", async () => {
  const tabs = [await pageAt("127.0.0.1"), await pageAt("127.0.0.1"), await pageAt("localhost")];

  for (const tab of tabs) {
    assert.deepEqual(await reaches(tab), [true, true]);
  }
  const native = await connect(hub, { token });
  await native.stop();
});

test("a rebound name reaches neither the routes of the app nor the service", async () => {
  for (const port of [chat.ports.PORT, chat.ports.HUB_LOCAL_PORT]) {
    for (const path of ["/", "/login", "/chat/negotiate", "/api/health", "/client/"]) {
      const tab = await browser.openTab(`http://evil.example:${port}${path}`);
      assert.match(await tab.textContent("body"), /requests for the host evil\.example are refused/);
    }
  }
});
