// The chat page in a real browser.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Browser } from "./browser.js";
import { error, inRoom, joinRoom, message, online, openRoom, person, reconnecting, room, say, signIn } from "./chat-tab.js";
import { cleanUp, startChat } from "./lib.js";

const browser = new Browser();
let chat;

before(async () => {
  await browser.start();
  chat = await startChat({ CHAT_SESSION_KEY: "a key for the browser" });
});

afterEach(() => browser.closeTabs());

after(async () => {
  await browser.stop();
  await cleanUp();
});

const openTab = ({ url = chat.url, ...options } = {}) => browser.openTab(url, options);
const picture = (tab, name) => browser.picture(tab, name);

async function enter(user, options) {
  const tab = await openTab(options);
  await signIn(tab, user);
  await online(tab);
  return tab;
}

test("two people sign in and chat both ways", async () => {
  const ada = await enter("ada");
  const bob = await enter("bob");

  await say(ada, "hello bob");
  await message(bob, "hello bob").waitFor();
  await say(bob, "hello ada");
  await message(ada, "hello ada").waitFor();

  assert.equal(await message(ada, "hello bob").count(), 1, "the sender's own message appears once");
  await picture(ada, "chat");
});

test("a wrong password shows an error, and the right one signs in", async () => {
  const tab = await openTab();

  await signIn(tab, "ada", "wrong");
  await error(tab, "sign-in", "There is no account with this name and password.").waitFor();
  await picture(tab, "wrong-password");

  await signIn(tab, "ada");
  await online(tab);
});

test("presence: a new client sees the online users, two tabs count once, leaving is shown", async () => {
  const ada = await enter("ada");
  const bob = await enter("bob");
  await person(ada, "bob").waitFor();
  await person(bob, "ada").waitFor();
  await ada.getByTestId("news").getByText("bob came in.").waitFor();

  const second = await enter("bob", { context: bob.context() });
  await person(second, "ada").waitFor();
  assert.equal(await person(ada, "bob").count(), 1, "two tabs of bob count as one person");

  await second.close();
  await say(bob, "I am still here");
  await message(ada, "I am still here").waitFor();
  assert.equal(await person(ada, "bob").count(), 1);

  await bob.close();
  await person(ada, "bob").waitFor({ state: "detached" });
  await ada.getByTestId("news").getByText("bob left.").waitFor();
});

test("a refused action shows its text", async () => {
  const bob = await enter("bob");

  await joinRoom(bob, "nowhere");
  await error(bob, "room", "There is no room called nowhere.").waitFor();
  await picture(bob, "refused");
  await say(bob, "x".repeat(1001));
  await error(bob, "send", "A message has at most 1000 characters, and this one has 1001.").waitFor();
  assert.equal((await bob.getByTestId("text").inputValue()).length, 1001, "the text is not lost");
});

test("a moderator confirms, and both talk in the new room", async () => {
  const ada = await enter("ada");
  const bob = await enter("bob");

  await ada.getByTestId("room").fill("garden");
  await ada.getByTestId("open-room").click();
  await ada.getByTestId("question").getByText("Open the room garden?").waitFor();
  await picture(ada, "confirm");
  await ada.getByTestId("confirm-no").click();
  await ada.getByTestId("news").getByText("The room garden was not opened.").waitFor();
  await openRoom(ada, "garden");

  await room(bob, "garden").click();
  await inRoom(bob, "garden");
  await say(bob, "roses");
  await message(ada, "roses").waitFor();

  await room(bob, "lobby").click();
  assert.equal(await message(bob, "roses").count(), 0, "the lobby has its own messages");
});

test("markup in a message is text", async () => {
  const ada = await enter("ada");
  const bob = await enter("bob");
  const script = "<script>window.stolen = true</script><img src=x onerror='window.stolen = true'>";

  await say(ada, script);
  await message(bob, script).waitFor();

  assert.equal(await bob.getByTestId("messages").locator("script, img").count(), 0);
  assert.equal(await bob.evaluate(() => window.stolen), undefined);
});

test("a reload keeps the session, signing out ends it", async () => {
  const ada = await enter("ada");

  await ada.reload();
  await online(ada);
  await ada.getByTestId("sign-out").click();
  await ada.getByTestId("user").waitFor();
  await ada.reload();

  await ada.getByTestId("user").waitFor();
});

test("the app restarts while the page is open, and the next message arrives in both tabs", async () => {
  const env = { CHAT_SESSION_KEY: "a key that stays" };
  const first = await startChat(env);
  const ada = await enter("ada", { url: first.url });
  const bob = await enter("bob", { url: first.url });
  await openRoom(ada, "short-lived");

  await first.stop("SIGKILL");
  await reconnecting(ada);
  await reconnecting(bob);
  await picture(bob, "reconnecting");
  const second = await startChat({ ...env, ...first.ports });
  await online(ada);
  await online(bob);

  await error(ada, "room", "The room short-lived is no longer open.").waitFor();
  await say(ada, "here I am again");
  await message(bob, "here I am again").waitFor();
  await message(ada, "here I am again").waitFor();
  await say(bob, "so am I");
  await message(ada, "so am I").waitFor();
  await person(bob, "ada").waitFor();
  await second.stop("SIGKILL");
});

test("a message written without a connection is sent after the reconnect", async () => {
  const env = { CHAT_SESSION_KEY: "a key that stays" };
  const first = await startChat(env);
  const ada = await enter("ada", { url: first.url });

  await first.stop("SIGKILL");
  await reconnecting(ada);
  await say(ada, "patience");
  const second = await startChat({ ...env, ...first.ports });

  await message(ada, "patience").waitFor();
  await second.stop("SIGKILL");
});

test("a session that is no longer valid leads to the sign-in form, with the reason", async () => {
  const first = await startChat();
  const ada = await enter("ada", { url: first.url });

  await first.stop("SIGKILL");
  const second = await startChat(first.ports);

  await error(ada, "sign-in", "You were signed out. Your session is no longer valid here. Sign in again.").waitFor();
  await picture(ada, "signed-out");
  await signIn(ada, "ada");
  await online(ada);
  await second.stop("SIGKILL");
});

test("the page works in dark mode and on small screens", async () => {
  const ada = await enter("ada", { colorScheme: "dark", viewport: { width: 390, height: 760 }, hasTouch: true });
  await say(ada, "a message from the train");
  await message(ada, "a message from the train").waitFor();

  const width = await ada.evaluate(() => document.documentElement.scrollWidth);

  assert.ok(width <= 390, `the page is ${width} pixels wide`);
  for (const id of ["room", "join", "text", "send", "messages"]) {
    assert.ok(await ada.getByTestId(id).isVisible(), `${id} is in sight`);
  }
  await picture(ada, "telephone-dark");
});

test("no page has errors or violations of its content security policy", () => {
  assert.deepEqual(browser.mistakes, []);
});
