// axe-core finds nothing on any example page, in any state, light or dark.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Browser } from "./browser.js";
import { error, joinRoom, message, online, openRoom, reconnecting, say, signIn, unsent } from "./chat-tab.js";
import { cleanUp, root, startChat, startExample } from "./lib.js";

const source = readFileSync(`${root}/tests/e2e/node_modules/axe-core/axe.min.js`, "utf8");
const browser = new Browser();

before(() => browser.start());
after(async () => {
  await browser.stop();
  await cleanUp();
});

/** All rules of axe-core, best practices included. Animations end first, because they change colours. */
async function findings(tab) {
  await tab.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  await tab.evaluate(source);
  const { violations } = await tab.evaluate(() => window.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(", ")}`);
}

const clean = async (tab, state) => assert.deepEqual(await findings(tab), [], state);

test("axe finds what is wrong", async () => {
  const tab = await browser.openTab("about:blank");
  await tab.setContent("<input>");

  assert.match((await findings(tab)).join("\n"), /^label: /m);
});

for (const [colorScheme, width] of [["light", 320], ["light", 1280], ["dark", 320], ["dark", 1280]]) {
  const options = { colorScheme, viewport: { width, height: 800 } };

  test(`chat, ${colorScheme}, ${width} px`, async () => {
    const chat = await startChat({ CHAT_SESSION_KEY: "a key for the tests with axe, 32 bytes" });
    const tab = await browser.openTab(chat.url, options);
    const bob = await browser.openTab(chat.url);
    await bob.getByTestId("demo-bob").click();
    await online(bob);

    await clean(tab, "sign-in");
    await signIn(tab, "ada", "wrong");
    await error(tab, "sign-in", "account").waitFor();
    await clean(tab, "error at sign-in");
    await tab.getByTestId("demo-ada").click();
    await online(tab);
    await clean(tab, "empty room");

    await tab.getByTestId("room").fill("garden");
    await tab.getByTestId("open-room").click();
    await tab.getByTestId("confirm-yes").waitFor();
    await clean(tab, "question");
    await tab.getByTestId("confirm-no").click();
    await openRoom(tab, "garden");
    await say(bob, "for the lobby");
    await tab.getByText("1 unread").waitFor();
    await clean(tab, "list of rooms, with news and unread messages");

    await tab.locator('[data-room="lobby"]').click();
    await say(tab, "from ada");
    await message(tab, "from ada").waitFor();
    await joinRoom(tab, "nowhere");
    await error(tab, "room", "nowhere").waitFor();
    await clean(tab, "room with messages, and an error of the room form");
    await say(tab, "x".repeat(1001));
    await error(tab, "send", "1001").waitFor();
    await clean(tab, "error of the message form");

    await chat.stop("SIGKILL");
    await reconnecting(tab);
    await say(tab, "unsent");
    await unsent(tab, "unsent").waitFor();
    await joinRoom(tab, "garden");
    await clean(tab, "reconnecting");
  });

  describe(`the other examples, ${colorScheme}, ${width} px`, () => {
    async function open(name) {
      const example = await startExample(name);
      const tab = await browser.openTab(example.url, options);
      await tab.locator('#status[data-state="online"]').waitFor();
      await clean(tab, "at the start");
      const end = async () => {
        await example.stop("SIGKILL");
        await tab.locator('#status[data-state="reconnecting"]').waitFor();
        await clean(tab, "reconnecting");
      };
      return [tab, end];
    }

    test("counter", async () => {
      const [tab, end] = await open("counter");
      await tab.getByRole("button", { name: "+10" }).click();
      await tab.getByTestId("value").getByText("10", { exact: true }).waitFor();
      await clean(tab, "a number");
      await end();
    });

    test("progress", async () => {
      const [tab, end] = await open("progress");
      for (let count = 0; count < 4; count += 1) {
        await tab.getByTestId("start").click();
      }
      await tab.getByRole("alert").getByText("3 of your jobs are running.").waitFor();
      await clean(tab, "jobs and an error");
      await tab.getByText("Done").first().waitFor();
      await clean(tab, "a finished job");
      await end();
    });

    test("tokens", async () => {
      const [tab, end] = await open("tokens");
      await tab.getByTestId("prompt").fill("What is a token?");
      await tab.getByTestId("send").click();
      await tab.getByText(/I am a fake model/).waitFor();
      await clean(tab, "an answer");
      await tab.getByTestId("room").fill("two words");
      await tab.getByRole("button", { name: "Go" }).click();
      await tab.getByRole("alert").getByText("A room's name").waitFor();
      await clean(tab, "an error");
      await end();
    });

    test("axum-nested", async () => {
      const [tab, end] = await open("axum-nested");
      await tab.getByTestId("text").fill("from a page");
      await tab.getByTestId("pin").click();
      await tab.getByText("from a page", { exact: true }).waitFor();
      await clean(tab, "a note");
      await end();
    });
  });
}
