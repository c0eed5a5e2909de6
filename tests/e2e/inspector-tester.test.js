// The test client of the inspector's page: the official client over each protocol and transport, with forms from the contract.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Browser } from "./browser.js";
import { App, client, complete, connected, openPage, openRow, startService, view } from "./inspector.js";
import { cleanUp, startChat, until } from "./lib.js";

const browser = new Browser();
const log = (tab) => tab.locator("#tester-log");
const heard = (tab, text) => log(tab).locator(".line.heard").filter({ hasText: text }).first().waitFor();
const result = (tab, text) => log(tab).locator(".line.result").filter({ hasText: text }).first().waitFor();

before(() => browser.start());

afterEach(async () => {
  await browser.closeTabs();
  await cleanUp();
  assert.deepEqual(browser.mistakes.splice(0), []);
});

after(() => browser.stop());

async function connect(tab, { hub, user, protocol, transport }) {
  const form = tab.locator("#tester-start");
  await form.getByLabel("Hub").fill(hub);
  await form.getByLabel("User").fill(user);
  await form.getByLabel("Protocol").selectOption(protocol);
  await form.getByLabel("Transport").selectOption(transport);
  await form.locator("button.primary").click();
  await tab.locator('#tester-state[data-state="online"]').waitFor();
}

async function call(tab, method, values) {
  await tab.locator("#tester-call").getByLabel("Method").fill(method);
  await tab.locator("#tester-call").getByLabel("Arguments").fill(JSON.stringify(values));
  await tab.getByRole("button", { name: "Invoke" }).click();
}

test("the test client calls and hears over each protocol and transport", async () => {
  const app = await new App().start();
  // MessagePack bodies: the app answers each call with the result 7.
  app.answers.lucky = (answer, call, request) => {
    const isBinary = request.headers["content-type"] !== "application/json";
    return isBinary ? answer.writeHead(204).end() : complete(answer, call, 7);
  };
  const service = await startService({ app });
  const other = await client(service);
  const tab = await openPage(browser, service);
  await view(tab, "tester");

  for (const [protocol, transport] of [
    ["json", "WebSockets"],
    ["json", "ServerSentEvents"],
    ["json", "LongPolling"],
    ["messagepack", "WebSockets"],
    ["messagepack", "LongPolling"],
  ]) {
    const name = `${protocol} over ${transport}`;
    await connect(tab, { hub: "chat", user: "tester", protocol, transport });
    await call(tab, "lucky", []);
    await result(tab, protocol === "json" ? /lucky.*7 ·/ : /lucky.*no result ·/);
    await tab.keyboard.press("Escape");
    await fetch(`${service.origin}/inspector/act`, {
      method: "POST",
      headers: { Authorization: `Bearer ${service.token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ action: "send", hub: "chat", target: { kind: "user", name: "tester" }, method: "greet", arguments: [name] }),
    });
    await heard(tab, name);
    await view(tab, "clients");
    const line = tab.locator("#clients-rows tr", { hasText: "tester" });
    await line.getByText(new RegExp(transport, "i")).waitFor();
    await line.getByText(new RegExp(protocol, "i")).waitFor();
    await view(tab, "tester");
    await tab.getByRole("button", { name: "Disconnect" }).click();
    await tab.locator('#tester-state[data-state="offline"]').waitFor();
  }
  await other.stop();
  await app.stop();
});

test("methods of the contract have forms; the chat accepts claims of the test client, and its question is answered", async () => {
  const chat = await startChat({ CHAT_SESSION_KEY: "a key for the tests of the inspector, 32 b" });
  const [, address] = await chat.printed(/Inspect\s+(\S+)/);
  const tab = await browser.openTab(address);
  await connected(tab);

  await view(tab, "hubs");
  await tab.locator("#hubs").getByText("For moderators only. Asks the caller to confirm.").waitFor();
  await tab.getByRole("button", { name: "Call: openRoom" }).click();
  const begin = tab.locator("#tester-start");
  await begin.getByLabel("User").fill("ada");
  await begin.getByRole("button", { name: "Add a claim" }).click();
  await begin.getByLabel("Type of the claim").fill("role");
  await begin.getByLabel("Value of the claim").fill("moderator");
  await begin.locator("button.primary").click();
  await tab.locator('#tester-state[data-state="online"]').waitFor();

  await tab.locator("#tester-call").getByLabel("room").fill("garden");
  await tab.getByRole("button", { name: "Invoke" }).click();
  const question = tab.getByRole("dialog", { name: "The app asks: confirm" });
  await question.getByLabel("Result").selectOption("true");
  await question.getByRole("button", { name: "Answer" }).click();
  await result(tab, /openRoom.*true ·/);
  await heard(tab, /roomOpened.*garden/);

  await tab.locator("#tester-call").getByLabel("Method").fill("sendMessage");
  await tab.locator("#tester-call").getByLabel("room").fill("nowhere");
  await tab.locator("#tester-call").getByLabel("text").fill("hello");
  await tab.getByRole("button", { name: "Invoke" }).click();
  await log(tab).locator(".line.error").getByText("There is no room called nowhere.").waitFor();
  await tab.locator("#tester-call").getByLabel("Method").fill("");
  await tab.getByRole("button", { name: "Invoke" }).click();
  await tab.locator("#tester-call .error").getByText("Name a method.").waitFor();
});

test("a form keeps a value that JavaScript cannot hold", async () => {
  const chat = await startChat({ CHAT_SESSION_KEY: "a key for the tests of the inspector, 32 b" });
  const [, address] = await chat.printed(/Inspect\s+(\S+)/);
  const [origin, token] = [new URL(address).origin, address.split("#")[1]];
  const ada = await client({ origin, token }, { user: "ada" });
  await ada.invoke("join", 2 ** 54).catch(() => {});
  const tab = await browser.openTab(address);
  await connected(tab);

  await openRow(tab, "join", "$int");
  await tab.getByRole("button", { name: "Run again" }).click();
  const value = await tab.getByRole("dialog").getByLabel("room").inputValue();
  assert.deepEqual(JSON.parse(value), { $int: String(2 ** 54) });
});

test("a test client that is refused states why", async () => {
  const service = await startService();
  const tab = await openPage(browser, service);
  await view(tab, "tester");

  await tab.locator("#tester-start").getByLabel("Hub").fill("not a hub!");
  await tab.locator("#tester-start button.primary").click();

  await tab.locator("#tester-start .error").getByText(/hub/).first().waitFor();
  await until("it is not connected", async () => (await tab.locator("#tester-state").getAttribute("data-state")) === "offline");
});
