// The inspector by keyboard and for screen readers: axe-core finds nothing in any state, light or dark, narrow or wide.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { Browser } from "./browser.js";
import { App, client, openPage, openRow, row, startService, status, view } from "./inspector.js";
import { cleanUp, root, startChat, until } from "./lib.js";

const source = readFileSync(`${root}/tests/e2e/node_modules/axe-core/axe.min.js`, "utf8");
const browser = new Browser();
let [app, service] = [];

before(() => browser.start());

afterEach(async () => {
  await browser.closeTabs();
  await cleanUp();
  await app?.stop();
  app = undefined;
  assert.deepEqual(browser.mistakes.splice(0), []);
});

after(() => browser.stop());

/** All rules of axe-core, best practices included. */
async function clean(tab, state) {
  await tab.evaluate(source);
  const { violations } = await tab.evaluate(() => window.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(", ")}`), [], state);
  const wide = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${state}: the page is ${wide} px too wide`);
}

async function begin() {
  app = await new App().start();
  app.answers.fail = status(404, "no such method");
  service = await startService({ app });
  const ada = await client(service, { user: "ada" });
  await ada.invoke("say", "lobby", { text: "hi" });
  await ada.invoke("fail").catch(() => {});
  return ada;
}

for (const [colorScheme, width] of [["light", 320], ["light", 1280], ["dark", 320], ["dark", 1280]]) {
  const options = { colorScheme, viewport: { width, height: 800 }, reducedMotion: "reduce" };

  test(`axe, ${colorScheme}, ${width} px`, async () => {
    const ada = await begin();
    const tab = await openPage(browser, service, options);
    const dialog = tab.getByRole("dialog");
    const close = () => tab.keyboard.press("Escape");

    await row(tab, "fail").waitFor();
    await clean(tab, "live");
    await tab.locator("#more-filters").click();
    await tab.getByRole("textbox", { name: "User" }).fill("ada");
    await tab.locator(".chip").waitFor();
    await clean(tab, "filters");
    await openRow(tab, "fail");
    await clean(tab, "details of a failure");
    await tab.getByRole("button", { name: "Run again" }).click();
    await dialog.getByRole("button", { name: "Run again" }).click();
    await dialog.getByText("Both answers are the same.").waitFor();
    await clean(tab, "both answers");
    await close();
    await tab.getByRole("button", { name: "Close the details" }).click();
    await tab.locator("#search").fill("nothing has this text");
    await tab.getByText("Nothing matches the filter.").waitFor();
    await clean(tab, "nothing matches");
    await tab.locator("#pause").click();
    await clean(tab, "paused");
    for (const name of ["clients", "groups", "users", "hubs", "tester"]) {
      await view(tab, name);
      await clean(tab, name);
    }
    await tab.locator("#tester-start").getByLabel("Hub").fill("chat");
    await tab.getByRole("button", { name: "Add a claim" }).click();
    await tab.locator("#tester-start button.primary").click();
    await tab.locator('#tester-state[data-state="online"]').waitFor();
    await tab.getByRole("button", { name: "Invoke" }).click();
    await tab.locator("#tester-call .error p").first().waitFor();
    await clean(tab, "test client, connected, with an error");
    await view(tab, "clients");
    for (const name of ["Send", "Join", "Leave", "Close"]) {
      await tab.getByRole("button", { name: new RegExp(`^${name}: .* of ada`) }).click();
      await dialog.waitFor();
      await clean(tab, name);
      await close();
    }
    await tab.locator("#help").click();
    await clean(tab, "help");
    await close();

    await app.stop();
    app = undefined;
    await ada.invoke("say", 1).catch(() => {});
    await tab.locator('[data-station="app"] .number').getByText("does not answer").waitFor();
    await clean(tab, "the app does not answer");
    await service.stop("SIGKILL");
    await tab.locator('#status[data-state="reconnecting"]').waitFor();
    await clean(tab, "reconnecting");
    const bare = await browser.openTab("about:blank", options);
    service = await startService({});
    await bare.goto(`${service.origin}/inspector`);
    await bare.getByText("This address has no token.").waitFor();
    await clean(bare, "without a token");
  });

  test(`axe, hubs with a contract, ${colorScheme}, ${width} px`, async () => {
    const chat = await startChat({ CHAT_SESSION_KEY: "a key for the tests of the inspector, 32 b" });
    const [, address] = await chat.printed(/Inspect\s+(\S+)/);
    const tab = await browser.openTab(address, options);
    await view(tab, "hubs");
    await tab.getByRole("button", { name: "Call: sendMessage" }).waitFor();
    await clean(tab, "hubs");
    await tab.getByRole("button", { name: "Send: newMessage" }).click();
    await tab.getByRole("dialog").waitFor();
    await clean(tab, "form of a message");
    await tab.keyboard.press("Escape");
    await tab.getByRole("button", { name: "Call: sendMessage" }).click();
    await clean(tab, "form of a method");
  });
}

const focused = (tab) => tab.evaluate(() => document.activeElement.id || document.activeElement.getAttribute("aria-label") || document.activeElement.textContent);

test("all is reached by keyboard: tabs, list, details, dialogs, and back", async () => {
  await begin();
  const tab = await openPage(browser, service, { viewport: { width: 1280, height: 800 } });
  await row(tab, "fail").waitFor();
  const press = async (...keys) => {
    for (const key of keys) {
      await tab.keyboard.press(key);
    }
    return focused(tab);
  };

  assert.equal(await press("Tab"), "help");
  assert.equal(await press("Tab"), "tab-live");
  assert.equal(await press("ArrowRight"), "tab-clients");
  assert.equal(await press("End"), "tab-tester");
  assert.equal(await press("ArrowRight"), "tab-live");
  const order = [];
  for (let count = 0; count < 7; count += 1) {
    order.push(await press("Tab"));
  }
  assert.deepEqual(order, ["search", "more-filters", "failures", "pause", "clear", "export", "list"]);

  await press("ArrowDown");
  await tab.locator("#detail h2").getByText("fail").waitFor();
  const active = await tab.locator("#list").getAttribute("aria-activedescendant");
  assert.equal(await tab.locator(`#${active}`).getAttribute("aria-selected"), "true");
  assert.equal(await tab.locator(`#${active}`).getAttribute("aria-posinset"), "1");
  await press("ArrowDown");
  await tab.locator("#detail h2").getByText("say").waitFor();
  assert.equal(await press("Enter"), "say");
  assert.equal(await press("Tab"), "Close the details");
  assert.equal(await press("Tab"), "Run again");
  await press("Enter");
  await tab.getByRole("dialog").waitFor();
  assert.equal(await press("Escape"), "Run again");
  assert.equal(await press("Escape"), "list");
  assert.equal(await tab.locator("#detail").isVisible(), false);
  await press("End");
  await tab.locator("#detail h2").getByText("negotiate").waitFor();

  await press("Escape");
  assert.equal(await press("/"), "search");
  await press("5");
  assert.equal(await tab.locator("#search").inputValue(), "5", "a key in a field is no shortcut");
  await press("Backspace", "Escape");
  assert.equal(await press("Tab"), "more-filters");
  assert.equal(await press("5"), "tab-hubs");
  assert.equal(await press("l"), "list");
  await press("f");
  assert.equal(await tab.locator("#failures").getAttribute("aria-pressed"), "true");
  await press("f", "p");
  assert.equal(await tab.locator("#pause").getAttribute("aria-pressed"), "true");
  await press("p", "?");
  await tab.getByRole("dialog", { name: "Help" }).getByText("Single keys are shortcuts").click();
  await press("Escape", "p");
  assert.equal(await tab.locator("#pause").getAttribute("aria-pressed"), "false", "shortcuts are off");
});

test("a narrow page opens the details alone, and goes back to the list", async () => {
  await begin();
  const tab = await openPage(browser, service, { viewport: { width: 320, height: 640 } });

  await openRow(tab, "fail");
  assert.equal(await tab.locator("#list").isVisible(), false);
  await until("the details have the focus", async () => (await focused(tab)) === "fail");
  await tab.getByRole("button", { name: "Close the details" }).click();
  assert.equal(await tab.locator("#list").isVisible(), true);
  assert.equal(await focused(tab), "list");
});

test("what is in view stays in view while lines arrive", async () => {
  const ada = await begin();
  for (let count = 0; count < 60; count += 1) {
    await ada.invoke("line", count);
  }
  const tab = await openPage(browser, service);
  await row(tab, "(59)").waitFor();
  await tab.locator("#list").evaluate((list) => (list.scrollTop = 900));
  await row(tab, "(30)").waitFor();
  const place = () => row(tab, "(30)").evaluate((element) => Math.round(element.getBoundingClientRect().top));
  const before = await place();
  // The page gets events of the list at any time, also between a new line and its drawing.
  await tab.locator("#list").evaluate((list) => setInterval(() => list.dispatchEvent(new Event("scroll")), 1));

  for (let count = 60; count < 70; count += 1) {
    await ada.invoke("line", count);
  }
  await until("the lines are there", async () => (await row(tab, "(30)").getAttribute("aria-setsize")) > "70");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(await place(), before);
});
