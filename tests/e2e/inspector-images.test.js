// The pictures of the inspector in the READMEs. They are written with UPDATE_SCREENSHOTS=1; each run checks that the page
// still has what they show.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Browser } from "./browser.js";
import { joinRoom, message, online, openRoom, say } from "./chat-tab.js";
import { connected, openRow, step, view } from "./inspector.js";
import { cleanUp, root, startChat } from "./lib.js";

const browser = new Browser();
const folder = `${root}/hub-local/images`;

before(() => browser.start());

after(async () => {
  await browser.stop();
  await cleanUp();
});

/** The width and the height in the head of a PNG file. */
function size(png) {
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  return [png.readUInt32BE(16), png.readUInt32BE(20)];
}

async function picture(tab, name) {
  const path = `${folder}/${name}.png`;
  await tab.mouse.move(0, 0);
  await tab.evaluate(() => document.activeElement.blur());
  await tab.locator("#toast").evaluate((toast) => (toast.hidden = true));
  if (process.env.UPDATE_SCREENSHOTS) {
    writeFileSync(path, await tab.screenshot({ animations: "disabled" }));
  }
  const stored = readFileSync(path);
  const { width, height } = tab.viewportSize();
  assert.deepEqual(size(stored), [width, height], `${name}: run with UPDATE_SCREENSHOTS=1`);
  assert.ok(stored.length < 150_000, `${name} has ${stored.length} bytes`);
  for (const page of ["README.md", "hub-local/README.md", "docs/inspect.md"]) {
    if (readFileSync(`${root}/${page}`, "utf8").includes(`${name}.png`)) {
      return;
    }
  }
  assert.fail(`no page shows ${name}.png`);
}

test("the pictures show what the page has", async () => {
  const chat = await startChat({ CHAT_SESSION_KEY: "a key for the pictures of the inspector, 32" });
  const [, address] = await chat.printed(/Inspect\s+(\S+)/);
  const [ada, bob] = [await browser.openTab(chat.url), await browser.openTab(chat.url)];
  for (const [tab, user] of [[ada, "ada"], [bob, "bob"]]) {
    await tab.getByTestId(`demo-${user}`).click();
    await online(tab);
  }
  await openRoom(ada, "garden");
  await say(ada, "Good morning!");
  await joinRoom(bob, "nowhere");
  await bob.locator('[data-room="garden"]').click();
  await say(bob, "Good morning, Ada.");
  await message(ada, "Good morning, Ada.").waitFor();

  const live = await browser.openTab(address, { viewport: { width: 1280, height: 760 } });
  await connected(live);
  await openRow(live, "sendMessage", "Good morning, Ada");
  await live.locator("#search").fill("");
  await live.locator("#list .row", { hasText: "There is no room called nowhere." }).first().waitFor();
  for (const kind of ["invocation", "upstream", "send"]) {
    await step(live, kind).first().waitFor();
  }
  await live.locator(".legend").waitFor();
  await picture(live, "inspector-live");

  const failure = await browser.openTab(address, { viewport: { width: 1280, height: 760 }, colorScheme: "dark" });
  await connected(failure);
  await view(failure, "hubs");
  await failure.getByRole("button", { name: "Call: openRoom" }).waitFor();
  await failure.getByText("For moderators only. Asks the caller to confirm.").waitFor();
  await picture(failure, "inspector-hubs");
});
