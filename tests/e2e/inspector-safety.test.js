// The inspector under attack, in a real browser: pages of other sites, other names of this machine, wrong tokens, markup in
// messages, and messages and events without end. The browser resolves evil.example to this machine.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { createServer, request } from "node:http";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Browser } from "./browser.js";
import { App, TOKEN, ask, client, events, openPage, openRow, row, startService, step } from "./inspector.js";
import { cleanUp, root, until } from "./lib.js";

const browser = new Browser();
const foreign = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end("<title>foreign</title>"));
let [app, service] = [];

before(async () => {
  foreign.listen(0, "127.0.0.1");
  await once(foreign, "listening");
  await browser.start();
});

beforeEach(async () => {
  app = await new App().start();
  service = await startService({ app });
});

afterEach(async () => {
  await browser.closeTabs();
  await cleanUp();
  await app.stop();
});

after(async () => {
  await browser.stop();
  foreign.close();
});

const noMistakes = () => assert.deepEqual(browser.mistakes.splice(0), []);

/** A request as a page of `origin` would send it, with the right token. */
function asked(path, headers, body) {
  return new Promise((resolve, reject) => {
    const options = { method: body ? "POST" : "GET", headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json", ...headers } };
    const sent = request(`${service.origin}/inspector/${path}`, options, async (answer) => {
      const text = Buffer.concat(await answer.toArray()).toString();
      resolve({ status: answer.statusCode, headers: answer.headers, text });
    });
    sent.on("error", reject);
    sent.end(body && JSON.stringify(body));
  });
}

test("a foreign page can neither read nor act, even with the token", async () => {
  const ada = await client(service, { user: "ada" });
  await ada.invoke("say", "a secret of ada");

  for (const host of ["evil.example", "localhost", "127.0.0.1"]) {
    const tab = await browser.openTab(`http://${host}:${foreign.address().port}/`);
    const reached = await tab.evaluate(
      async ([origin, token]) => {
        const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
        const close = JSON.stringify({ action: "clear" });
        const tries = [
          fetch(`${origin}/inspector/state`, { headers }),
          fetch(`${origin}/inspector/events`, { headers }),
          fetch(`${origin}/inspector/act`, { method: "POST", headers, body: close }),
          fetch(`${origin}/inspector/act`, { method: "POST", headers: { "Content-Type": "text/plain" }, body: close }),
          fetch(`${origin}/inspector/app.js`),
          import(`${origin}/inspector/app.js`),
        ];
        const seen = (await Promise.allSettled(tries)).map(({ status }) => status);
        await fetch(`${origin}/inspector/act`, { method: "POST", mode: "no-cors", body: close }).catch(() => {});
        return seen;
      },
      [service.origin, TOKEN],
    );
    assert.deepEqual(new Set(reached), new Set(["rejected"]), host);
  }
  for (const origin of [`http://127.0.0.1:${foreign.address().port}`, "http://evil.example", "null"]) {
    assert.equal((await asked("state", { Origin: origin })).status, 403, origin);
    assert.equal((await asked("act", { Origin: origin }, { action: "clear" })).status, 403, origin);
  }
  assert.ok((await events(service)).some((event) => event.method === "say"), "nothing was cleared");
});

test("the page cannot be framed, and its policy allows only its own files", async () => {
  const { headers } = await asked("", {});
  const policy = headers["content-security-policy"];

  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["referrer-policy"], "no-referrer");
  const files = readdirSync(`${root}/hub-local/inspector`).filter((name) => /\.(js|html|svg)$/.test(name));
  assert.ok(files.length > 15);
  for (const name of files) {
    const text = readFileSync(`${root}/hub-local/inspector/${name}`, "utf8");
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|(local|session)Storage|\sstyle="|\son\w+="/, name);
    assert.doesNotMatch(text.replace(/http:\/\/www\.w3\.org\/2000\/svg/g, ""), /https?:\/\//, `${name} loads nothing from elsewhere`);
  }
});

test("a rebound name gets neither page nor data", async () => {
  for (const path of ["inspector", "inspector/app.js", "inspector/state", "inspector/events"]) {
    const tab = await browser.openTab(`http://evil.example:${service.port}/${path}#${TOKEN}`);
    assert.match(await tab.textContent("body"), /refused|does not respond to requests for this host/);
  }
  const { status } = await asked("state", { Host: `evil.example:${service.port}` });
  assert.equal(status, 403);
});

test("a wrong token reads nothing, and the page says so without trying again and again", async () => {
  const ada = await client(service, { user: "ada" });
  await ada.invoke("say", "not for all");
  let requests = 0;

  const tab = await browser.openTab(`${service.origin}/inspector#wrong-token-of-a-guesser`);
  tab.on("request", (sent) => (requests += /state|events/.test(sent.url()) ? 1 : 0));
  await tab.getByText("The service does not accept the token of this page.").waitFor();
  await new Promise((resolve) => setTimeout(resolve, 1500));

  assert.equal(requests, 0);
  assert.equal(await row(tab, "say").count(), 0);
  assert.equal(await tab.locator("#clients-rows tr").count(), 0);
  for (const headers of [{ Authorization: "Bearer wrong" }, { Authorization: "" }, { Authorization: `Basic ${TOKEN}` }]) {
    const { status, text } = await asked("state", headers);
    assert.equal(status, 401);
    assert.doesNotMatch(text, /ada|not for all/);
  }
  noMistakes();
});

test("markup in messages, names and claims is shown as text", async () => {
  const markup = "<script>window.hacked = true</script><img src=x onerror='window.hacked = true'>";
  const ada = await client(service, { user: `ada${markup}`, claims: [{ type: "name", value: markup }] });
  app.answers.bad = (answer) => answer.writeHead(500, { "Content-Type": "text/html" }).end(markup);
  await ada.invoke("say", markup, { [markup]: markup });
  await ada.invoke("bad", markup).catch(() => {});
  for (const action of [
    { action: "join", hub: "chat", group: markup, user: "bob" },
    { action: "send", hub: "chat", target: { kind: "all" }, method: markup, arguments: [markup] },
  ]) {
    assert.equal((await ask(service, "act", action)).status, 200);
  }
  const tab = await openPage(browser, service);

  for (const [text, kind] of [["say", "invocation"], ["bad", "answer"], ["connected", "connected"], [markup, "send"]]) {
    await openRow(tab, text);
    await tab.locator("#detail summary").evaluateAll((all) => all.forEach((summary) => summary.click()));
    assert.ok((await step(tab, kind).first().textContent()).includes("<script>"), text);
  }
  for (const name of ["clients", "groups", "users", "hubs", "tester"]) {
    await tab.locator(`#tab-${name}`).click();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.equal(await tab.evaluate(() => window.hacked), undefined);
  assert.equal(await tab.locator("main script, main img, dialog img").count(), 0);
  noMistakes();
});

test("a message of 1 MB is shown cut, with its size", async () => {
  const ada = await client(service);
  const text = "x".repeat(900_000);
  assert.equal(await ada.invoke("echo", text), text);
  const tab = await openPage(browser, service);

  await openRow(tab, "echo", "echo");
  await step(tab, "invocation").getByText(/Cut by the service: the first [\d,]+ characters of 87\d\.\d KiB\./).waitFor();
  await step(tab, "answer").getByText(/Cut by the service/).waitFor();
  const size = await tab.evaluate(() => document.body.textContent.length);
  assert.ok(size < 100_000, `${size} characters`);
  noMistakes();
});

test("100,000 events leave the page usable and bounded", async () => {
  const sender = await client(service, { user: "flood" });
  const tab = await openPage(browser, service);
  await row(tab, "connected").waitFor();

  let [sent, ended] = [0, false];
  const flood = (async () => {
    // Each send of a client is an invocation, a call of the app and an answer.
    while (JSON.parse((await ask(service, "state?clients=0")).text).events.last <= 100_000) {
      for (let count = 0; count < 200; count += 1) {
        sender.send("tick", (sent += 1)).catch(() => {});
      }
      await sender.invoke("echo", sent);
    }
    ended = true;
  })();
  const delays = [];
  while (!ended) {
    for (const id of ["tab-clients", "tab-live"]) {
      delays.push(
        await tab.evaluate(async (id) => {
          const begun = performance.now();
          document.getElementById(id).click();
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          return performance.now() - begun;
        }, id),
      );
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  await flood;

  delays.sort((a, b) => a - b);
  assert.ok(delays[Math.floor(delays.length * 0.9)] < 200, `90 % of the clicks are drawn within 200 ms: ${delays.map(Math.round).join(" ")}`);
  await sender.invoke("afterwards", "still alive");
  await openRow(tab, "afterwards");
  await step(tab, "completion").waitFor();
  await tab.locator("#search").fill("");
  await until("all lines are listed", async () => Number(await row(tab, "").getAttribute("aria-setsize")) > 100);
  await tab.locator("#list").press("End");
  const { drawn, rows } = await tab.evaluate(() => ({
    drawn: document.querySelectorAll("#list .row").length,
    rows: Number(document.querySelector("#list .row").getAttribute("aria-setsize")),
  }));
  assert.ok(drawn < 60, `${drawn} drawn`);
  assert.ok(rows > 100 && rows <= 11_000, `${rows} lines`);
  const state = JSON.parse((await ask(service, "state")).text).events;
  assert.ok(state.kept <= 2000, JSON.stringify(state));
  noMistakes();
});

test("events that are left out are stated in words", async () => {
  const sender = await client(service);
  const tab = await openPage(browser, service);
  for (let count = 0; count < 4000; count += 1) {
    sender.send("burst", count).catch(() => {});
  }
  await sender.invoke("echo", 1);

  await tab.locator("#search").fill("left_out");
  await until("a line states it", async () => /events left out/.test((await row(tab, "left out").textContent().catch(() => "")) ?? ""));
});

test("the page has at most 150 KB with the official client, which is the published one", async () => {
  const tab = await browser.openTab("about:blank");
  const files = new Map();
  tab.on("response", async (answer) => {
    if (/\/inspector(\/[\w.-]+\.(js|css|svg))?$/.test(new URL(answer.url()).pathname)) {
      const { responseBodySize } = await answer.request().sizes();
      files.set(answer.url(), responseBodySize);
    }
  });
  await tab.goto(service.page);
  await tab.locator('#status[data-state="online"]').waitFor();
  await tab.locator("#tab-tester").click();
  await tab.getByLabel("Protocol").selectOption("messagepack");
  await tab.locator("#tester-start").getByLabel("Hub").fill("chat");
  await tab.locator("#tester-start button.primary").click();
  await tab.locator('#tester-state[data-state="online"]').waitFor();

  const folder = `${root}/hub-local/inspector`;
  const stored = readdirSync(folder).filter((name) => /\.(js|css|svg|html|gz)$/.test(name));
  const total = stored.reduce((sum, name) => sum + readFileSync(`${folder}/${name}`).length, 0);
  await until("all files are counted", () => files.size === stored.length);
  const size = [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
  assert.ok(size === total && size <= 150_000, `${size} bytes of ${total}`);

  for (const name of ["signalr", "signalr-protocol-msgpack"]) {
    const published = `${root}/tests/e2e/node_modules/@microsoft/${name}`;
    const { version, license } = JSON.parse(readFileSync(`${published}/package.json`, "utf8"));
    const theirs = readFileSync(`${published}/dist/browser/${name}.min.js`);
    assert.ok(gunzipSync(readFileSync(`${folder}/${name}.min.js.gz`)).equals(theirs), `compress dist/browser/${name}.min.js of the package`);
    assert.equal(readFileSync(`${folder}/${name}.version`, "utf8").trim(), version);
    assert.equal(license, "MIT");
    assert.match(readFileSync(`${folder}/${name}.LICENSE.txt`, "utf8"), /The MIT License/);
  }
  const { version } = JSON.parse(readFileSync(`${root}/tests/e2e/node_modules/@msgpack/msgpack/package.json`, "utf8"));
  const licence = readFileSync(`${folder}/signalr-protocol-msgpack.LICENSE.txt`, "utf8");
  assert.match(licence, new RegExp(`@msgpack/msgpack ${version.replaceAll(".", "\\.")}`));
  noMistakes();
});
