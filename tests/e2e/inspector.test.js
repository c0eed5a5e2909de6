// The inspector in a real browser: what happens between client, service and app is seen, from the click to the completion.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { Browser } from "./browser.js";
import { message, online, say } from "./chat-tab.js";
import { App, ask, client, complete, connected, hash, openPage, openRow, row, startService, status, step, toast, view } from "./inspector.js";
import { cleanUp, startChat, until } from "./lib.js";

const browser = new Browser();
let [app, service] = [];

before(() => browser.start());

beforeEach(async () => {
  app = await new App().start();
  service = await startService({ app });
});

afterEach(async () => {
  await browser.closeTabs();
  await cleanUp();
  await app.stop();
  assert.deepEqual(browser.mistakes.splice(0), []);
});

after(() => browser.stop());

const titles = (tab) => tab.locator("#detail .step h3").allTextContents();

test("a call is seen from the click to the completion", async () => {
  const chat = await startChat({ CHAT_SESSION_KEY: "a key for the tests of the inspector, 32 b" });
  const [, address] = await chat.printed(/Inspect\s+(\S+)/);
  const inspector = await browser.openTab(address);
  await connected(inspector);
  const [ada, bob] = [await browser.openTab(chat.url), await browser.openTab(chat.url)];
  for (const [tab, user] of [[ada, "ada"], [bob, "bob"]]) {
    await tab.getByTestId(`demo-${user}`).click();
    await online(tab);
  }

  await say(ada, "seen by the inspector");
  await message(bob, "seen by the inspector").waitFor();

  await openRow(inspector, "sendMessage", "seen by the inspector");
  await step(inspector, "completion").waitFor();
  assert.deepEqual(await titles(inspector), [
    "Client calls sendMessage",
    "Service calls the app",
    "App sends newMessage to group lobby",
    "App answers 200",
    "Client gets the result",
  ]);
  assert.match(await step(inspector, "invocation").locator("pre").textContent(), /"lobby",\s+"seen by the inspector"/);
  assert.match(await step(inspector, "send").textContent(), /2 reached/);
  assert.match(await step(inspector, "send").locator("pre").textContent(), /"text": "seen by the inspector"/);
  assert.match(await inspector.locator("#detail .facts").textContent(), /hubchat.*userada/);
  const legs = await inspector.locator("#detail .legend li").allTextContents();
  assert.equal(legs.length, 3, legs.join());
  legs.forEach((leg) => assert.match(leg, /^\d.* m?s (in the queue|in the app|back to the client)$/));
  await inspector.locator('[data-station="app"] .number').getByText("answers", { exact: true }).waitFor();
});

test("the request that a call became is shown with URL, headers and body, and copied as a command", async () => {
  const ada = await client(service, { user: "ada" });
  await ada.invoke("say", "it's 5 o'clock");
  const tab = await openPage(browser, service);
  await tab.context().grantPermissions(["clipboard-read", "clipboard-write"]);

  await openRow(tab, "say");
  const upstream = step(tab, "upstream");
  assert.match(await upstream.textContent(), new RegExp(`POST ${app.url}`));
  await upstream.getByText("Headers").click();
  assert.match(await upstream.locator("table").textContent(), /X-ASRS-Hubchat.*X-ASRS-Eventsay.*X-ASRS-User-Idada/s);
  await upstream.getByText("Body").first().click();
  assert.match(await upstream.locator("pre").textContent(), /"target": "say"/);
  await tab.getByRole("button", { name: "Copy curl for POSIX shells" }).click();

  await toast(tab, /Copied: without the signature/);
  const command = await tab.evaluate(() => navigator.clipboard.readText());
  assert.match(command, /^curl -i -X POST 'http/);
  assert.match(command, /-H 'X-ASRS-Event: say'/);
  assert.ok(command.includes(`it'\\''s 5 o'\\''clock`), command);
  assert.doesNotMatch(command, /signature/i);
  await tab.getByRole("button", { name: "Copy for PowerShell" }).click();
  const other = await until("the clipboard has it", async () => {
    const text = await tab.evaluate(() => navigator.clipboard.readText());
    return text.startsWith("Invoke-WebRequest") && text;
  });
  assert.ok(other.includes(`it''s 5 o''clock`), other);

  await ada.invoke("say", { $int: "9007199254740993" });
  await openRow(tab, "say", "$int");
  await tab.getByRole("button", { name: "Copy curl for POSIX shells" }).click();
  await tab.getByRole("dialog").getByText(/the request cannot be repeated/).waitFor();
});

test("an error of the method is a failure", async () => {
  app.answers.refuse = (answer, { invocationId }) =>
    answer.end(`${JSON.stringify({ type: 3, invocationId, error: "There is no room called x." })}\x1e`);
  const ada = await client(service);
  await ada.invoke("refuse").catch(() => {});
  const tab = await openPage(browser, service, { more: "&failures=1" });

  await row(tab, "There is no room called x.").waitFor();
  assert.equal(await row(tab, "refuse").getAttribute("data-lamp"), "bad");
  await tab.getByRole("button", { name: "Failures 1" }).waitFor();
});

test("lists have pages", async () => {
  await Promise.all(Array.from({ length: 105 }, (_, number) => client(service, { user: `user-${number}` })));
  const tab = await openPage(browser, service);

  await view(tab, "users");
  await tab.locator("#users-count").getByText("1 to 100 of 105 users").waitFor();
  await tab.locator("#users-next").click();
  await tab.locator("#users-count").getByText("101 to 105 of 105 users").waitFor();
  assert.equal(await tab.locator("#users-rows tr").count(), 5);
  await tab.locator("#users-back").click();
  await tab.locator("#users-count").getByText("1 to 100 of 105 users").waitFor();
});

test("an address with a broken escape is an address without access", async () => {
  const tab = await browser.openTab(`${service.origin}/inspector#%`);
  await tab.getByText("The service does not accept the token of this page.").waitFor();
});

test("filters, search and failures select lines, and the address contains them", async () => {
  app.answers.fail = status(500, "no");
  const [ada, bob] = [await client(service, { user: "ada" }), await client(service, { user: "adam" })];
  await ada.invoke("first", "apple");
  await bob.invoke("second", "pear");
  await bob.invoke("fail").catch(() => {});
  const tab = await openPage(browser, service);
  const lines = () => tab.locator("#list .row:not([hidden]) .what").allTextContents();
  const shows = (pattern, hidden) =>
    until(`${pattern} is shown alone`, async () => {
      const all = (await lines()).join("\n");
      return pattern.test(all) && !hidden.test(all);
    });

  await tab.locator("#search").fill("pear");
  await shows(/second/, /first|connected/);
  await tab.locator("#search").fill("");
  await tab.locator("#more-filters").click();
  await tab.getByRole("textbox", { name: "User" }).fill('"ada"');
  await shows(/first/, /second/);
  await tab.getByRole("textbox", { name: "Method" }).fill("FIR");
  await shows(/first/, /connected/);
  assert.match(hash(tab), /&method=FIR&?/);
  await tab.reload();
  await shows(/first/, /connected|second/);
  await tab.getByRole("button", { name: "Remove the filter user" }).click();
  await tab.getByRole("button", { name: "Remove the filter method" }).click();
  await tab.getByRole("button", { name: /^Failures/ }).click();
  await shows(/fail/, /first|second/);
  await tab.getByRole("button", { name: /^Failures/ }).click();
  await openRow(tab, "second", "pear");
  await tab.getByRole("button", { name: "adam" }).click();
  await shows(/second/, /first/);
  assert.match(hash(tab), /user=%22adam%22/);
});

test("a link leads to the details of its line", async () => {
  const ada = await client(service);
  await ada.invoke("linked", "here");
  const tab = await openPage(browser, service);
  await openRow(tab, "linked");
  await tab.locator("#search").fill("");
  await until("the address names the event", () => /event=\d+/.test(hash(tab)));

  const other = await browser.openTab(tab.url());
  await other.locator("#detail h2").getByText("linked").waitFor();
});

test("pause holds the list, clear empties it, export saves it as JSON lines", async () => {
  const ada = await client(service);
  const tab = await openPage(browser, service);
  await ada.invoke("before", 1);
  await row(tab, "before").waitFor();

  await tab.locator("#pause").click();
  await ada.invoke("during", 2);
  await tab.locator("#notice").getByText(/Paused: 1 new line\./).waitFor();
  assert.equal(await row(tab, "during").count(), 0);
  await tab.locator("#pause").click();
  await row(tab, "during").waitFor();

  const [saved] = await Promise.all([tab.waitForEvent("download"), tab.locator("#export").click()]);
  const lines = (await readFile(await saved.path(), "utf8")).trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(saved.suggestedFilename(), "inspector.jsonl");
  assert.deepEqual([lines[0].version, lines[0].kind], [1, "recording"]);
  assert.ok(lines.some((event) => event.kind === "invocation" && event.method === "during"));
  const seqs = lines.slice(1).map((event) => event.seq);
  assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));

  await tab.locator("#clear").click();
  await tab.getByText("Nothing has happened yet.").waitFor();
  await tab.reload();
  await tab.getByText("Nothing has happened yet.").waitFor();
});

test("a call runs again with the same and with other arguments, and both answers are shown", async () => {
  let count = 0;
  app.answers.add = (answer, call) => complete(answer, call, call.arguments[0] + call.arguments[1]);
  app.answers.next = (answer, call) => complete(answer, call, (count += 1));
  const ada = await client(service);
  await ada.invoke("add", 1, 2);
  await ada.invoke("next");
  const tab = await openPage(browser, service);

  await openRow(tab, "add");
  await tab.getByRole("button", { name: "Run again" }).click();
  const dialog = tab.getByRole("dialog");
  await dialog.getByRole("button", { name: "Run again" }).click();
  await dialog.getByText("Both answers are the same.").waitFor();
  await dialog.getByLabel("Arguments").fill("[40, 2]");
  await dialog.getByRole("button", { name: "Run again" }).click();
  await dialog.getByText("The answers differ.").waitFor();
  assert.match(await dialog.getByRole("region", { name: "Answer first" }).textContent(), /"result": 3/);
  assert.match(await dialog.getByRole("region", { name: "Answer again" }).textContent(), /"result": 42/);
  await dialog.getByLabel("Arguments").fill("{");
  await dialog.getByRole("button", { name: "Run again" }).click();
  await dialog.getByText(/Arguments is not JSON/).waitFor();
  await tab.keyboard.press("Escape");

  await openRow(tab, "next");
  await ada.stop();
  await tab.getByRole("button", { name: "Run again" }).click();
  await dialog.getByRole("button", { name: "Run again" }).click();
  await dialog.getByText(/the client of the call has disconnected/).waitFor();
  assert.equal(count, 1);
});

test("clients, groups and users are listed, followed and acted on", async () => {
  const ada = await client(service, { user: "ada", listen: ["said"] });
  const bob = await client(service, { user: "bob", listen: ["said"] });
  const closed = new Promise((resolve) => bob.onclose(resolve));
  const tab = await openPage(browser, service);
  const dialog = tab.getByRole("dialog");
  const fill = (name, value) => dialog.getByRole("textbox", { name }).or(dialog.getByRole("combobox", { name })).fill(value);

  await view(tab, "users");
  await tab.getByRole("button", { name: "Join: user ada" }).click();
  await fill("Group", "lobby");
  await fill(/Seconds/, "3600");
  await dialog.getByRole("button", { name: "Add" }).click();
  await toast(tab, "ada is in group lobby");
  await tab.locator("#users-rows").getByText(/lobby \((59 min|1 h)/).waitFor();

  await view(tab, "groups");
  await tab.locator("#groups-rows").getByText("lobby").waitFor();
  await tab.getByRole("button", { name: "Send: group lobby" }).click();
  await fill("Method of the clients", "said");
  await fill("Arguments", '["to the lobby"]');
  await dialog.getByRole("button", { name: "Send" }).click();
  await toast(tab, "Sent to group lobby: 1 client reached");
  await until("ada hears it", () => ada.got("said").length === 1);
  assert.deepEqual([ada.got("said"), bob.got("said")], [[["to the lobby"]], []]);

  await view(tab, "clients");
  await tab.locator("#clients-count").getByText("2 clients").waitFor();
  await tab.getByLabel("Search in clients").fill("bob");
  await tab.locator("#clients-rows tr").getByText("ada").waitFor({ state: "detached" });
  await tab.getByRole("button", { name: /^Close: .* of bob/ }).click();
  await fill(/Reason/, "closed by a test");
  await dialog.getByRole("button", { name: "Close the connection" }).click();
  assert.match((await closed).message, /closed by a test/);

  await view(tab, "users");
  await tab.getByRole("button", { name: "Leave: user ada" }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await toast(tab, "ada has left group lobby");
  await tab.getByRole("button", { name: "Follow: user ada" }).click();
  await row(tab, "leave group").waitFor();
  assert.equal(await row(tab, "bob").count(), 0);
});

test("an action that is refused states why, and what to do", async () => {
  const tab = await openPage(browser, service);
  const dialog = tab.getByRole("dialog");

  await tab.keyboard.press("s");
  await dialog.getByLabel("Hub").fill("nowhere");
  await dialog.getByLabel("Method of the clients").fill("said");
  await dialog.getByRole("button", { name: "Send" }).click();

  await dialog.getByText("no client has used the hub").waitFor();
  await dialog.getByText(/connect a client to the hub first/).waitFor();
});

test("the service is restarted under an open page: it connects again, says so, and keeps what it has", async () => {
  const ada = await client(service);
  await ada.invoke("before", "the restart");
  const tab = await openPage(browser, service);
  await row(tab, "before").waitFor();

  await service.stop("SIGKILL");
  await tab.locator('#status[data-state="reconnecting"]').getByText("The service does not answer. Reconnecting…").waitFor();
  service = await startService({ app, port: service.port });
  await tab.locator("#status").getByText(/Connected again; the service was restarted at \d\d:\d\d:\d\d/).waitFor();
  const bob = await client(service);
  await bob.invoke("after", "the restart");

  await row(tab, "after").waitFor();
  await row(tab, "The service was restarted").waitFor();
  assert.match(await row(tab, "before").getAttribute("class"), /\bbefore\b/);
  await openRow(tab, "before");
  assert.equal(await tab.getByRole("button", { name: "Run again" }).count(), 0);
});

test("a stale token is explained, and a new address in its place works", async () => {
  const random = await startService({ app, token: "" });
  const tab = await openPage(browser, random);

  await random.stop("SIGKILL");
  const next = await startService({ app, port: random.port, token: "" });
  await tab.getByText("The service does not accept the token of this page.").waitFor();
  await tab.getByText(/Each start of the service makes a new token/).waitFor();
  await tab.getByLabel("Address or token").fill(next.page);
  await tab.getByRole("button", { name: "Open" }).click();
  await connected(tab);

  const bare = await browser.openTab(`${next.origin}/inspector`);
  await bare.getByText("This address has no token.").waitFor();
});

test("two tabs see the same and do not disturb each other", async () => {
  const [one, two] = [await openPage(browser, service), await openPage(browser, service)];
  const ada = await client(service);

  await one.locator("#pause").click();
  await ada.invoke("shared", 1);

  await row(two, "shared").waitFor();
  await one.locator("#pause").click();
  await row(one, "shared").waitFor();
  await one.close();
  await ada.invoke("alone", 1);
  await row(two, "alone").waitFor();
});

test("scripts read the same events as the page", async () => {
  const ada = await client(service, { user: "ada" });
  await ada.invoke("said", "by a script");
  const { text } = await ask(service, "events?follow=0&method=said");

  const kinds = text.trim().split("\n").map((line) => JSON.parse(line).kind);
  for (const kind of ["invocation", "upstream", "answer", "completion"]) {
    assert.ok(kinds.includes(kind), kinds.join());
  }
});
