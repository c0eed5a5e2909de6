// The official client in Node against the running chat.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cleanUp, connect, logIn, refusal, sessionOf, startChat, until } from "./lib.js";

let chat;
let ada;
let bob;

const listen = ["newMessage", "presence"];
const join = async (user, extra = {}) =>
  connect(`${chat.url}/chat`, { token: await sessionOf(chat.url, user), listen, ...extra });

before(async () => {
  chat = await startChat({ CHAT_SESSION_KEY: "a key for these tests" });
  ada = await join("ada", { on: { confirm: () => true } });
  bob = await join("bob");
});

after(cleanUp);

test("one line for the app, one for the service and one for its inspector are printed, each with its URL", () => {
  const lines = chat.out.trim().split("\n");

  assert.equal(lines.filter((line) => line.includes(chat.url)).length, 1, chat.out);
  const ofService = lines.filter((line) => line.includes(`:${chat.ports.HUB_LOCAL_PORT}`));
  assert.deepEqual(ofService.map((line) => line.includes("/inspector#")), [false, true], chat.out);
  assert.equal(lines.length, 3, chat.out);
});

test("a wrong password is 401 with a sentence", async () => {
  const answer = await logIn(chat.url, "ada", "bob-demo");

  assert.equal(answer.status, 401);
  assert.match(await answer.text(), /^There is no account with this name and password\.$/);
});

test("without a session a client gets no connection, and sees the reason", async () => {
  assert.match(await refusal(connect(`${chat.url}/chat`)), /Sign in first\..*401/);
  assert.match(
    await refusal(connect(`${chat.url}/chat`, { token: "forged" })),
    /Your session is no longer valid here\. Sign in again\..*401/,
  );
});

test("a message reaches everyone in the room, and its length is the result", async () => {
  const length = await bob.invoke("sendMessage", "lobby", "grüß dich, ada");

  assert.equal(length, Buffer.byteLength("grüß dich, ada"));
  const expected = { room: "lobby", from: "bob", text: "grüß dich, ada" };
  for (const client of [ada, bob]) {
    await until("the message arrives", () => client.got("newMessage").some(([m]) => m.text === expected.text));
    assert.deepEqual(client.got("newMessage").at(-1), [expected]);
  }
});

test("the third argument may be omitted, null or present", async () => {
  assert.equal(await bob.invoke("sendMessage", "lobby", "one"), 3);
  assert.equal(await bob.invoke("sendMessage", "lobby", "two", null), 3);
  assert.equal(await bob.invoke("sendMessage", "lobby", "three", true), 5);
});

test("method names match ignoring case and underscores", async () => {
  assert.equal(await bob.invoke("SendMessage", "lobby", "hi"), 2);
  assert.equal(await bob.invoke("send_message", "lobby", "hi"), 2);
});

test("a wrong argument is named by position, name and type", async () => {
  assert.equal(
    await refusal(bob.invoke("sendMessage", "lobby", 7)),
    "argument 2 (`text`): invalid type: integer `7`, expected a string",
  );
});

test("a missing argument is named by position and name", async () => {
  assert.equal(await refusal(bob.invoke("sendMessage", "lobby")), "argument 2 (`text`) is missing");
  assert.equal(await refusal(bob.invoke("join")), "argument 1 (`room`) is missing");
});

test("one argument too many is refused", async () => {
  assert.equal(
    await refusal(bob.invoke("join", "lobby", "extra")),
    "too many arguments: expected 1 argument, got 2",
  );
});

test("the error for an unknown method suggests the nearest name", async () => {
  assert.equal(
    await refusal(bob.invoke("sendMesage", "lobby", "hi")),
    "Unknown hub method 'sendMesage'; did you mean 'sendMessage'?",
  );
  await chat.logged(/WARN.*sendMesage/i);
});

test("a refusal of a filter contains the requirement", async () => {
  assert.equal(
    await refusal(bob.invoke("openRoom", "bobs-own")),
    "403 Forbidden: this needs role `moderator`",
  );
  assert.equal(await refusal(bob.invoke("join", "bobs-own")), "There is no room called bobs-own.");
});

test("empty and long texts are refused with an error text", async () => {
  const long = "A message has at most 1000 characters, and this one has 1001.";

  assert.equal(await refusal(bob.invoke("sendMessage", "lobby", " ")), "Write a message first.");
  assert.equal(await refusal(bob.invoke("sendMessage", "lobby", "x".repeat(1001))), long);
  assert.equal(await bob.invoke("sendMessage", "lobby", "x".repeat(1000)), 1000);
});

test("a moderator must confirm before a room opens", async () => {
  const questions = [];
  let answer = false;
  const moderator = await join("ada", {
    on: {
      confirm: (question) => {
        questions.push(question);
        return answer;
      },
    },
  });

  assert.equal(await moderator.invoke("openRoom", "rust"), false);
  assert.equal(await refusal(bob.invoke("join", "rust")), "There is no room called rust.");
  answer = true;
  assert.equal(await moderator.invoke("openRoom", "rust"), true);
  await bob.invoke("join", "rust");
  await bob.invoke("sendMessage", "rust", "only here");

  assert.deepEqual(questions, ["Open the room rust?", "Open the room rust?"]);
  await until("bob receives his own message", () => bob.got("newMessage").some(([m]) => m.room === "rust"));
  assert.ok(!moderator.got("newMessage").some(([m]) => m.room === "rust"), "the moderator has not joined");
  await moderator.stop();
});

test("a client without a handler for the client result fails only that call", async () => {
  const mute = await join("ada");

  assert.match(await refusal(mute.invoke("openRoom", "silent")), /The question was not answered/);
  assert.equal(await mute.invoke("sendMessage", "lobby", "still here"), 10);
  await mute.stop();
});

test("a client may call the hub before it returns a client result", async () => {
  const order = [];
  const moderator = await join("ada", {
    on: {
      confirm: async () => {
        for (const number of [1, 2, 3]) {
          await moderator.invoke("sendMessage", "lobby", `asked ${number}`);
          order.push(number);
        }
        order.push("confirm");
        return true;
      },
    },
  });

  await moderator.invoke("openRoom", "queue");
  order.push("openRoom");

  assert.deepEqual(order, [1, 2, 3, "confirm", "openRoom"]);
  await moderator.stop();
});

test("presence: a new client sees the online users, two tabs count once, and leaving is sent", async () => {
  const fresh = await startChat();
  const enter = async (user) =>
    connect(`${fresh.url}/chat`, { token: await sessionOf(fresh.url, user), listen });
  const news = (client) => client.got("presence");

  const first = await enter("ada");
  await until("ada sees herself", () => news(first).length === 1);
  const tab1 = await enter("bob");
  await until("bob sees everyone", () => news(tab1).length === 2);
  assert.deepEqual(news(tab1), [["ada", true], ["bob", true]]);
  await until("ada sees bob come", () => news(first).length === 2);

  const tab2 = await enter("bob");
  await until("the second tab sees everyone", () => news(tab2).length === 2);
  await tab1.stop();
  await tab2.stop();
  await until("ada sees bob leave", () => news(first).some(([user, here]) => user === "bob" && !here));
  const again = await enter("bob");
  await until("ada sees bob come back", () => news(first).at(-1)[0] === "bob" && news(first).at(-1)[1]);

  assert.deepEqual(news(first), [["ada", true], ["bob", true], ["bob", false], ["bob", true]]);
  await again.stop();
  await first.stop();
  await fresh.stop("SIGKILL");
});

test("a session outlives a restart when its key is set, and only then", async () => {
  const key = "outlives a restart";
  const old = await startChat({ CHAT_SESSION_KEY: key });
  const token = await sessionOf(old.url, "ada");
  await old.stop("SIGKILL");

  const same = await startChat({ CHAT_SESSION_KEY: key });
  const client = await connect(`${same.url}/chat`, { token });
  assert.equal(await client.invoke("sendMessage", "lobby", "back"), 4);
  await client.stop();
  await same.stop("SIGKILL");

  const other = await startChat();
  assert.match(await refusal(connect(`${other.url}/chat`, { token })), /no longer valid here/);
  await other.stop("SIGKILL");
});

test("SIGTERM ends the chat cleanly, also while clients are connected", async () => {
  const ending = await startChat();
  const client = await connect(`${ending.url}/chat`, { token: await sessionOf(ending.url, "bob") });
  const closed = new Promise((resolve) => client.onclose(resolve));

  const result = await ending.stop("SIGTERM");

  assert.deepEqual(result, { code: 0, signal: null }, ending.log);
  await closed;
});

test("the process is still running after all tests", async () => {
  assert.ok(chat.lives);
  assert.equal((await fetch(`${chat.url}/health`)).status, 200);
  assert.doesNotMatch(chat.log, /panicked/);
});
