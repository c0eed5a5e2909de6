// A real nginx, HAProxy and Caddy with the lines of docs/proxies.md, in front of an app and its service.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { HttpTransportType } from "@microsoft/signalr";
import { Program, cleanUp, connect, freePort, until, within } from "./lib.js";
import { edit, names, startRealProxy, stopProxies } from "./proxies.js";

const KEY = "a-key-of-this-test-with-more-than-32-bytes";
const BIG = "x".repeat(200_000);
/** Less than the 15 s between pings, with which a proxy that holds messages back delivers them. */
const PROMPT = 5_000;

const transports = ["WebSockets", "ServerSentEvents", "LongPolling"];
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** An app with its embedded service behind a proxy. */
async function embeddedBehind(name, { change, env } = {}) {
  const [port, app, service] = [await freePort(), await freePort(), await freePort()];
  const program = new Program("e2e-app", [], {
    PORT: String(app),
    HUB_LOCAL_PORT: String(service),
    HUB_LOCAL_URL: `http://localhost:${port}`,
    ...env,
  });
  await program.printed(new RegExp(`127\\.0\\.0\\.1:${app}\\b`));
  const proxy = await startRealProxy(name, { port, app, service, change });
  return { program, proxy, port, url: `http://localhost:${port}/loop` };
}

/** `hub-local start` and an app, which calls the service by another name than clients do, behind a proxy. */
async function commandBehind(name, { change, options = [] } = {}) {
  const [port, app, service] = [await freePort(), await freePort(), await freePort()];
  const upstream = `http://127.0.0.1:${app}/runtime/webhooks/signalr`;
  const address = ["--ip", "0.0.0.0", "--port", String(service), "--url", `http://localhost:${port}`];
  const program = new Program("hub-local", ["start", ...address, "--upstream", upstream, "--log", "debug", ...options], {
    HUB_LOCAL_KEY: KEY,
  });
  await program.printed(/Ctrl\+C stops/);
  const hub = new Program("e2e-app", [], {
    PORT: String(app),
    AzureSignalRConnectionString: `Endpoint=http://127.0.0.2;Port=${service};ClientEndpoint=http://localhost:${port};AccessKey=${KEY};Version=1.0;`,
  });
  await hub.printed(new RegExp(`127\\.0\\.0\\.1:${app}\\b`));
  const proxy = await startRealProxy(name, { port, app, service, change });
  return { program, proxy, port, url: `http://localhost:${port}/loop` };
}

/** A client that records its messages and whether its connection was interrupted. */
async function clientOf(site, transport, on = {}) {
  const client = await connect(site.url, {
    listen: ["number", "relayed"],
    on,
    options: { transport: HttpTransportType[transport] },
  });
  client.closed = false;
  client.onclose(() => (client.closed = true));
  return client;
}

const stop = () => Promise.all([cleanUp(), stopProxies()]);

/** Sends a value to all clients, and waits until this client has it. */
async function broadcast(sender, client, value) {
  const count = client.got("relayed").length;
  await within("the call is answered", sender.invoke("relay", value), PROMPT);
  await until("the broadcast arrives promptly", () => client.got("relayed").length > count, PROMPT);
  assert.deepEqual(client.got("relayed").slice(count), [[value]]);
}

for (const name of names) {
  describe(`${name} with the lines of docs/proxies.md`, () => {
    after(stop);

    describe("in front of an app with its embedded service", () => {
      let site;

      before(async () => {
        site = await embeddedBehind(name);
      });

      for (const transport of transports) {
        test(`${transport}: calls, client results and 200 KB in both directions arrive at once, also after silence`, async () => {
          const client = await within("start() settles", clientOf(site, transport, { question: (text) => `${text} yes` }), PROMPT);
          const id = await client.invoke("identity");
          await site.program.logged(new RegExp(`connected connection="${id}".*transport="${transport}"`));

          assert.equal(await client.invoke("echo", 7), 7);
          assert.equal(await client.invoke("askMe", "really?"), "really? yes");
          await broadcast(client, client, BIG);
          await sleep(1_000);
          await broadcast(client, client, "after silence");

          // HAProxy without `option http-no-delay` holds each event back for 200 ms.
          const delays = [];
          for (let round = 0; round < 10; round += 1) {
            const sent = Date.now();
            await broadcast(client, client, round);
            delays.push(Date.now() - sent);
          }
          assert.ok(Math.min(...delays) < 150, `a round trip takes ${delays} ms`);
          await client.stop();
        });
      }
    });

    test("a quiet long poll and a quiet WebSocket outlast the timeouts of the proxy", async () => {
      // The 120 s of the page, the poll of 45 s and the pings every 15 s, shortened: 6 s, 4 s and 2 s.
      const change = (text) => text.replace(/\b120s\b/g, "6s");
      const site = await commandBehind(name, { change, options: ["--poll-hold", "4s", "--keep-alive", "2s"] });
      const client = await clientOf(site, "LongPolling");
      const sender = await clientOf(site, "WebSockets");

      await sleep(9_000);
      await broadcast(sender, client, "still here");

      assert.deepEqual([client.closed, sender.closed], [false, false]);
      await Promise.all([client.stop(), sender.stop()]);
    });

    test("an app that calls the service by another host name than clients do: every transport connects", async () => {
      const site = await commandBehind(name);
      for (const transport of transports) {
        const client = await clientOf(site, transport);
        assert.equal(await client.invoke("echo", 7), 7);
        await broadcast(client, client, transport);
        await client.stop();
      }
    });

    test("behind_proxies(1) counts the address of the client, whatever X-Forwarded-For it sends", async () => {
      const site = await embeddedBehind(name, { env: { NEGOTIATE_LIMIT: "2" } });
      const negotiate = (localAddress, forged) =>
        new Promise((resolve, reject) => {
          const headers = forged === undefined ? {} : { "X-Forwarded-For": forged };
          const options = { host: "127.0.0.1", port: site.port, path: "/loop/negotiate?negotiateVersion=1" };
          request({ ...options, method: "POST", localAddress, headers }, (answer) => resolve(answer.resume().statusCode))
            .on("error", reject)
            .end();
        });

      const forged = ["203.0.113.1", "203.0.113.2", "203.0.113.3, 203.0.113.4", ["203.0.113.5", "203.0.113.6"]];
      const statuses = [];
      for (const value of forged) {
        statuses.push(await negotiate("127.0.0.1", value));
      }

      assert.deepEqual(statuses, [200, 200, 429, 429], "these are requests of one client");
      // Only Linux has more than one loopback address.
      if (process.platform === "linux") {
        assert.equal(await negotiate("127.0.0.2"), 200, "this is another client");
      }
    });
  });
}

after(stop);

test("nginx with proxy_pass alone: an error names the missing lines, and the client uses Server-Sent Events, which are prompt", async () => {
  const change = (text) => edit(text, [/^ *proxy_(?!pass).*$/gm, ""]);
  const site = await embeddedBehind("nginx", { change });
  const client = await within("start() settles", connect(site.url, { listen: ["relayed"] }), PROMPT);
  const id = await client.invoke("identity");
  await site.program.logged(new RegExp(`connected connection="${id}".*transport="ServerSentEvents"`));
  await broadcast(client, client, BIG);
  await broadcast(client, client, "small");

  const text = await new Promise((resolve, reject) => {
    const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==" };
    request({ host: "127.0.0.1", port: site.port, path: "/client/?hub=loop", headers }, (answer) => {
      let body = `${answer.statusCode} `;
      answer.on("data", (bytes) => (body += bytes)).on("end", () => resolve(body));
    })
      .on("error", reject)
      .end();
  });

  assert.match(text, /^400 .*proxy_set_header Upgrade \$http_upgrade/s);
  await site.program.logged(/WARN.*proxy_set_header Upgrade \$http_upgrade/);
  await client.stop();
});
