// The chat page in a real browser: rooms, texts, errors, focus, reconnecting and layout.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Browser } from "./browser.js";
import { error, inRoom, joinRoom, message, online, openRoom, person, reconnecting, room, say, signIn, unsent } from "./chat-tab.js";
import { cleanUp, startChat, until } from "./lib.js";

const env = { CHAT_SESSION_KEY: "a key for the tests of the chat page, 32 bytes" };
const browser = new Browser();
let chat;

before(() => browser.start());

afterEach(async () => {
  await browser.closeTabs();
  await chat?.stop("SIGKILL");
  chat = undefined;
});

after(async () => {
  await browser.stop();
  await cleanUp();
});

async function openTab(options = {}, hash = "") {
  chat ??= await startChat(env);
  return browser.openTab(chat.url + hash, options);
}

async function enter(user, options, hash) {
  const tab = await openTab(options, hash);
  await tab.getByTestId(`demo-${user}`).click();
  await online(tab);
  return tab;
}

async function restart(...tabs) {
  await chat.stop("SIGKILL");
  await Promise.all(tabs.map(reconnecting));
  return async () => {
    chat = await startChat({ ...env, ...chat.ports });
    await Promise.all(tabs.map(online));
  };
}

const title = (tab, expected) => until(`the title is ${expected}`, async () => (await tab.title()) === expected);
const focused = (tab) => tab.evaluate(() => document.activeElement.id);
const hash = (tab) => decodeURIComponent(new URL(tab.url()).hash);

test("an opened room is in the list of all, of later users and of the moderator who signs in again", async () => {
  const ada = await enter("ada");
  const bob = await enter("bob");

  await openRoom(ada, "garden");
  await room(bob, "garden").waitFor();
  await bob.getByTestId("news").getByText("The room garden is open now.").waitFor();
  await ada.getByTestId("sign-out").click();
  await ada.getByTestId("demo-ada").click();
  await online(ada);

  await room(ada, "garden").waitFor();
  const late = await enter("bob");
  await room(late, "garden").click();
  await inRoom(late, "garden");
});

test("the room is in the URL: a reload, a link and Back lead to it", async () => {
  const ada = await enter("ada");
  assert.equal(hash(ada), "#lobby");
  await openRoom(ada, "тихо");
  assert.equal(hash(ada), "#тихо");

  await ada.goBack();
  await inRoom(ada, "lobby");
  await ada.goForward();
  await inRoom(ada, "тихо");
  await ada.reload();
  await inRoom(ada, "тихо");
  await online(ada);

  const bob = await enter("bob", {}, "/#ТИХО");
  await inRoom(bob, "тихо");
  await say(bob, "found it");
  await message(ada, "found it").waitFor();
  assert.equal(hash(bob), "#тихо");
});

test("a link to a room that does not exist leads to the lobby, with the reason", async () => {
  const bob = await enter("bob", {}, "/#nowhere");

  await error(bob, "room", "There is no room called nowhere.").waitFor();
  await inRoom(bob, "lobby");
  await until("the URL names the lobby", () => hash(bob) === "#lobby");
  const ada = await enter("ada", {}, "/#100%");
  await error(ada, "room", "There is no room called 100%.").waitFor();
});

test("an empty room does not claim that nothing was said", async () => {
  const bob = await enter("bob");
  await say(bob, "before the reload");
  await message(bob, "before the reload").waitFor();
  assert.equal(await bob.getByTestId("no-messages").isVisible(), false);

  await bob.reload();
  await bob.getByTestId("no-messages").getByText("New messages appear here. Earlier ones are not kept.").waitFor();
});

test("an error stands at its form, describes its field, and goes at the next success", async () => {
  const bob = await enter("bob");

  await joinRoom(bob, "nowhere");
  await error(bob, "room", "There is no room called nowhere.").waitFor();
  const field = bob.getByTestId("room");
  assert.equal(await bob.getByTestId("send-error").isVisible(), false);
  assert.equal(await bob.locator("#join-form #room-error").count(), 1);
  assert.equal(await field.getAttribute("aria-describedby"), "room-error");
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  assert.equal(await focused(bob), "room");

  await say(bob, " ");
  await error(bob, "send", "Write a message first.").waitFor();
  assert.equal(await bob.locator("#send-form #send-error").count(), 1);
  assert.equal(await bob.getByTestId("room-error").isVisible(), true);
  await say(bob, "a success");
  await message(bob, "a success").waitFor();
  for (const form of ["room", "send"]) {
    await bob.getByTestId(`${form}-error`).waitFor({ state: "hidden" });
  }
  assert.equal(await field.getAttribute("aria-invalid"), null);
});

test("only moderators see the button that opens a room", async () => {
  const bob = await enter("bob");
  const ada = await enter("ada");

  assert.equal(await bob.getByTestId("open-room").isVisible(), false);
  assert.equal(await ada.getByTestId("open-room").isVisible(), true);
});

test("a room that is open is refused without a question, whatever its case", async () => {
  const ada = await enter("ada");
  await openRoom(ada, "Garden");

  await ada.getByTestId("room").fill("GARDEN");
  await ada.getByTestId("open-room").click();
  await error(ada, "room", "The room Garden is already open.").waitFor();
  assert.equal(await ada.getByTestId("confirm").isVisible(), false);

  await room(ada, "lobby").click();
  await joinRoom(ada, "gARDEN");
  await inRoom(ada, "Garden");
  assert.equal(await room(ada, "Garden").count(), 1);
});

test("each text of the page is a sentence: it begins in upper case and ends with a full stop", async () => {
  const tab = await openTab();
  const texts = [];
  const read = async (locator) => texts.push(await locator.innerText());

  await signIn(tab, "ada", "wrong");
  await error(tab, "sign-in", "account").waitFor();
  await read(tab.getByTestId("sign-in-error"));
  await tab.getByTestId("demo-ada").click();
  await online(tab);
  await read(tab.getByTestId("no-messages"));
  for (const [name, expected] of [["", "first"], ["two words", "letters"], ["x".repeat(41), "41"], ["lobby", "open"]]) {
    await tab.getByTestId("room").fill(name);
    await tab.getByTestId("open-room").click();
    await error(tab, "room", expected).waitFor();
    await read(tab.getByTestId("room-error"));
  }
  await say(tab, "x".repeat(1001));
  await error(tab, "send", "1001").waitFor();
  await read(tab.getByTestId("send-error"));

  assert.equal(new Set(texts).size, texts.length, "each cause has its own text");
  for (const text of texts) {
    assert.match(text, /^\p{Lu}.*\.$/u);
  }
});

test("a demo account signs in with one click", async () => {
  const tab = await openTab();

  await tab.getByTestId("demo-bob").click();

  await online(tab);
  assert.equal(await tab.getByTestId("me").innerText(), "bob");
});

test("a wrong password puts the focus into its field, and a name in another case signs in", async () => {
  const tab = await openTab();

  await signIn(tab, "ada", "wrong");
  await error(tab, "sign-in", "There is no account with this name and password.").waitFor();
  assert.equal(await focused(tab), "password");
  assert.equal(await tab.getByTestId("password").getAttribute("aria-describedby"), "sign-in-error");
  await tab.keyboard.type("ada-demo"); // replaces the selected password
  await tab.getByTestId("user").fill("Ada");
  await tab.keyboard.press("Enter");

  await online(tab);
  assert.equal(await tab.getByTestId("me").innerText(), "ada");
});

test("while the page reconnects, unsent messages are grey, people stay dimmed, and a draft is not lost", async () => {
  const ada = await enter("ada");
  const bob = await enter("bob");
  await person(ada, "bob").waitFor();
  await say(ada, "with a connection");
  await message(ada, "with a connection").waitFor();
  const colour = (locator) => locator.evaluate((element) => getComputedStyle(element).color);
  const sent = await colour(message(ada, "with a connection"));
  const here = await colour(person(ada, "bob"));

  const startAgain = await restart(ada);
  await say(ada, "one");
  await say(ada, "two");
  await ada.getByTestId("text").fill("a draft");
  await unsent(ada, "two").waitFor();
  assert.notEqual(await colour(unsent(ada, "one")), sent);
  assert.notEqual(await colour(person(ada, "bob")), here);
  assert.equal(await ada.getByTestId("send-error").isVisible(), false);

  await startAgain();
  // Without a history, Bob gets these messages only if his page reconnects first.
  await message(ada, "two").waitFor();
  await unsent(ada, "two").waitFor({ state: "detached" });
  assert.equal(await message(ada, "one").count(), 1);
  assert.equal(await colour(message(ada, "two")), sent);
  await online(bob);
  await person(ada, "bob").waitFor();
  await until("Bob is no longer dimmed", async () => (await colour(person(ada, "bob"))) === here);
  assert.equal(await ada.getByTestId("text").inputValue(), "a draft");
});

test("people who left while the page reconnected are gone afterwards", async () => {
  const ada = await enter("ada");
  const bob = await enter("bob");
  await person(ada, "bob").waitFor();

  const startAgain = await restart(ada);
  await bob.context().close();
  await person(ada, "bob").waitFor();
  await startAgain();

  await person(ada, "bob").waitFor({ state: "detached" });
  await person(ada, "ada").waitFor();
});

test("a message to a room that is gone is refused, and its text is back in the field", async () => {
  const ada = await enter("ada");
  await openRoom(ada, "short-lived");

  const startAgain = await restart(ada);
  await say(ada, "to no room");
  await startAgain();

  await error(ada, "room", "The room short-lived is no longer open.").waitFor();
  await error(ada, "send", "There is no room called short-lived.").waitFor();
  await inRoom(ada, "lobby");
  assert.equal(await ada.getByTestId("text").inputValue(), "to no room");
});

test("a call that loses its connection ends with a text, and its question closes", async () => {
  const ada = await enter("ada");
  await ada.getByTestId("room").fill("garden");
  await ada.getByTestId("open-room").click();
  await ada.getByTestId("confirm-yes").waitFor();

  const startAgain = await restart(ada);

  await error(ada, "room", "The connection was lost before the server answered.").waitFor();
  assert.equal(await ada.getByTestId("confirm").isVisible(), false);
  assert.equal(await ada.getByTestId("room").getAttribute("aria-invalid"), null, "the name is not at fault");
  await startAgain();
});

test("an unsent message outlives a session that ends, for the same user only", async () => {
  const [ada, shared] = [await enter("ada"), await enter("ada")];
  await chat.stop("SIGKILL");
  for (const tab of [ada, shared]) {
    await reconnecting(tab);
    await say(tab, "still unsent");
  }

  chat = await startChat(chat.ports);
  for (const [tab, user, text] of [[ada, "ada", "still unsent"], [shared, "bob", ""]]) {
    await error(tab, "sign-in", "Your session is no longer valid here.").waitFor();
    await tab.getByTestId(`demo-${user}`).click();
    await online(tab);
    assert.equal(await tab.getByTestId("text").inputValue(), text);
    assert.equal(await tab.getByTestId("unsent").locator("li").count(), 0);
  }
});

test("the title counts unread messages: of other rooms, and of this one while the tab is hidden", async () => {
  const ada = await enter("ada");
  const bob = await enter("bob");
  const hide = (hidden) =>
    ada.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await title(ada, "lobby · Chat");
  await openRoom(ada, "garden");

  await say(bob, "one");
  await say(bob, "two");
  await title(ada, "(2) garden · Chat");
  assert.match(await room(ada, "lobby").textContent(), /2 unread/);
  await room(ada, "lobby").click();
  await title(ada, "lobby · Chat");

  await hide(true);
  await say(bob, "three");
  await title(ada, "(1) lobby · Chat");
  await hide(false);
  await title(ada, "lobby · Chat");
});

test("news goes after a while", async () => {
  const ada = await enter("ada");
  await enter("bob");

  await ada.getByTestId("news").getByText("bob came in.").waitFor();
  await until("the news has gone", async () => (await ada.getByTestId("news").innerText()) === "");
  await person(ada, "bob").waitFor();
});

test("signing out removes a draft, so that the next user does not read it", async () => {
  const tab = await enter("ada");
  await tab.getByTestId("text").fill("a secret draft");

  await tab.getByTestId("sign-out").click();
  await tab.getByTestId("demo-bob").click();
  await online(tab);

  assert.equal(await tab.getByTestId("text").inputValue(), "");
});

/** Elements that reach beyond the window or beyond their own box, and controls that are not in sight at all. */
function cutOff() {
  const shown = [...document.querySelectorAll("h1, label, input, button, .status, .error, #my-name")].filter(
    (element) => element.checkVisibility() && !element.matches(".hidden, .rooms *") && element.offsetWidth > 1,
  );
  return shown
    .filter((element) => {
      const { left, right } = element.getBoundingClientRect();
      const text = element.tagName !== "INPUT" && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0;
      return left < -0.5 || right > innerWidth + 0.5 || text;
    })
    .map((element) => `${element.tagName} ${element.id || element.className}`);
}

async function fits(tab, name) {
  const log = await tab.getByTestId("messages").boundingBox();
  assert.ok(!log || log.height > 80, `${name}: the messages have a height of ${log?.height} pixels`);
  const width = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(width <= 0, `${name}: the page is ${width} pixels too wide`);
  assert.deepEqual(await tab.evaluate(cutOff), [], name);
}

const sizes = {
  "320 px": { viewport: { width: 320, height: 568 } },
  "360 px": { viewport: { width: 360, height: 740 } },
  "768 px": { viewport: { width: 768, height: 1024 } },
  "1280 px": { viewport: { width: 1280, height: 800 } },
  "a zoom of 200 %": { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  "a zoom of 400 %": { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 },
  "320 px with text of 200 %": { viewport: { width: 320, height: 568 }, text: "200%" },
};

for (const [name, { text, ...options }] of Object.entries(sizes)) {
  test(`nothing is cut off at ${name}`, async () => {
    const tab = await openTab(options);
    if (text) {
      await tab.evaluate((size) => document.documentElement.style.setProperty("font-size", size), text);
    }
    await fits(tab, "sign-in");
    await signIn(tab, "ada", "wrong");
    await error(tab, "sign-in", "account").waitFor();
    await fits(tab, "error at sign-in");

    await tab.getByTestId("demo-ada").click();
    await online(tab);
    await openRoom(tab, "a-room-with-a-name-of-forty-characters-0");
    await say(tab, "w".repeat(200));
    await message(tab, "w".repeat(200)).waitFor();
    await joinRoom(tab, "n".repeat(60));
    await error(tab, "room", "There is no room").waitFor();
    await fits(tab, "room and error");

    await restart(tab);
    await say(tab, "unsent ".repeat(20));
    await fits(tab, "reconnecting");
    await browser.picture(tab, `chat-${name.replaceAll(/\W+/g, "-")}`);
  });
}

test("no page has errors or violations of its content security policy", () => {
  assert.deepEqual(browser.mistakes, []);
});
