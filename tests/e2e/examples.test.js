// The examples, with the official client in Node and in a real browser.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Browser } from "./browser.js";
import { cleanUp, connect, refusal, startExample, until } from "./lib.js";

const browser = new Browser();

before(() => browser.start());
afterEach(() => browser.closeTabs());
after(async () => {
  await browser.stop();
  await cleanUp();
});

const online = (tab) => tab.locator('#status[data-state="online"]').waitFor();

async function open(url, options) {
  const tab = await browser.openTab(url, options);
  await online(tab);
  return tab;
}

/** The page fits small screens, also in dark mode. */
async function fitsTelephone(url, name, act = () => {}) {
  const tab = await open(url, { colorScheme: "dark", viewport: { width: 360, height: 700 }, hasTouch: true });
  await act(tab);
  const width = await tab.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `the page is ${width} pixels wide`);
  await browser.picture(tab, `${name}-telephone`);
}

/** Stops on request, also while a client is connected. */
async function endsCleanly(example, client) {
  const closed = new Promise((resolve) => client.onclose(resolve));
  assert.deepEqual(await example.stop("SIGTERM"), { code: 0, signal: null }, example.log);
  await closed;
  assert.doesNotMatch(example.log, /panicked/);
}

describe("counter", () => {
  let example;
  before(async () => {
    example = await startExample("counter");
  });

  test("all clients see each change, and a new client sees the current value", async () => {
    const ada = await connect(`${example.url}/counter`, { listen: ["changed"] });
    await ada.invoke("add", 2);
    const bob = await connect(`${example.url}/counter`, { listen: ["changed"] });
    await bob.invoke("add", -5);

    await until("ada receives it", () => ada.got("changed").length === 3);
    await until("bob receives it", () => bob.got("changed").length === 2);
    assert.deepEqual(ada.got("changed"), [[0], [2], [-3]]);
    assert.deepEqual(bob.got("changed"), [[2], [-3]]);
    assert.equal(
      await refusal(ada.invoke("add", "one")),
      'argument 1 (`step`): invalid type: string "one", expected i32',
    );
    await bob.invoke("add", 3);
  });

  test("two tabs show the same number, after a restart too", async () => {
    const [one, other] = [await open(example.url), await open(example.url)];

    await one.getByRole("button", { name: "+10" }).click();
    await one.getByRole("button", { name: "−1", exact: true }).click();
    await other.getByTestId("value").getByText("9", { exact: true }).waitFor();
    await browser.picture(other, "counter");

    await example.stop("SIGKILL");
    await one.locator('#status[data-state="reconnecting"]').waitFor();
    example = await startExample("counter", example.ports);
    await online(one);
    await online(other);
    await one.getByRole("button", { name: "+1", exact: true }).click();
    await other.getByTestId("value").getByText("1", { exact: true }).waitFor();
    await fitsTelephone(example.url, "counter");
  });

  test("it stops on request", async () => {
    await endsCleanly(example, await connect(`${example.url}/counter`));
  });
});

describe("progress", () => {
  let example;
  before(async () => {
    example = await startExample("progress");
  });

  async function visit() {
    const answer = await fetch(`${example.url}/visit`, { method: "POST" });
    assert.equal(answer.status, 204);
    return answer.headers.get("set-cookie").split(";")[0];
  }
  const watch = (cookie) => {
    const options = { headers: { cookie } };
    return connect(`${example.url}/progress`, { listen: ["progress"], options });
  };
  const begin = (cookie, name) =>
    fetch(`${example.url}/jobs`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(cookie && { cookie }) },
      body: JSON.stringify({ name }),
    });

  test("a job started over HTTP is reported to its user, and continues without clients", async () => {
    const [ada, bob] = [await visit(), await visit()];
    const [first, other] = [await watch(ada), await watch(bob)];

    const answer = await begin(ada, "report");
    assert.equal(answer.status, 202);
    const { id } = await answer.json();
    await until("the job comes further", () => first.got("progress").length >= 2);
    await first.stop();
    const again = await watch(ada);
    const [{ done }] = await again.invoke("jobs");
    const seen = () => Math.max(done, ...again.got("progress").map(([job]) => job.done));
    await until("the job is done", () => seen() === 40);

    assert.ok(done >= 2, `${done}`);
    const steps = again.got("progress").map(([job]) => job.done);
    const earliest = 41 - steps.length;
    assert.deepEqual(steps, Array.from(steps, (_, index) => earliest + index), "each step once, in order");
    assert.ok(earliest <= done + 1, "no update is missing between the state and the later updates");
    assert.deepEqual(await again.invoke("jobs"), [{ id, name: "report", done: 40, total: 40 }]);
    assert.deepEqual(other.got("progress"), []);
    assert.deepEqual(await other.invoke("jobs"), []);
  });

  test("a visitor without a cookie gets an instruction, and an invalid job is refused with a reason", async () => {
    assert.match(await refusal(connect(`${example.url}/progress`)), /POST \/visit first.*401/);
    assert.equal((await begin(undefined, "report")).status, 401);
    const empty = await begin(await visit(), " ");
    assert.equal(empty.status, 400);
    assert.equal(await empty.text(), "A job's name has between 1 and 60 characters.");
  });

  test("a tab that is closed and opened again shows the current progress", async () => {
    const tab = await open(example.url);
    await tab.getByTestId("start").click();
    await tab.getByText(/^([5-9]|\d\d) %$/).waitFor();
    const window = tab.context();
    await tab.close();

    const again = await open(example.url, { context: window });
    const share = await again.locator(".job .share").textContent();
    assert.ok(share === "Done" || parseInt(share, 10) >= 5, share);
    await again.getByTestId("name").fill("Another one");
    await again.getByTestId("start").click();
    await again.getByText("Done").first().waitFor();
    await browser.picture(again, "progress");

    await fitsTelephone(example.url, "progress", async (telephone) => {
      for (let count = 0; count < 4; count += 1) {
        await telephone.getByTestId("start").click();
      }
      await telephone.getByRole("alert").getByText("3 of your jobs are running").waitFor();
    });
  });

  test("it stops on request, also while a job runs", async () => {
    const cookie = await visit();
    const client = await watch(cookie);
    await begin(cookie, "cut short");
    await until("it has started", () => client.got("progress").length > 0);
    await endsCleanly(example, client);
  });
});

describe("tokens", () => {
  let example;
  before(async () => {
    example = await startExample("tokens");
  });

  const listen = ["asked", "token", "done"];
  const read = (room) => async () => {
    const client = await connect(`${example.url}/tokens`, { listen });
    return [client, await client.invoke("join", room)];
  };
  const texts = (client) => client.got("token").map(([, , text]) => text);

  test("tokens arrive in order at all clients in the room, and late joiners see earlier answers", async () => {
    const [ada, nothing] = await read("garden")();
    const id = await ada.invoke("ask", "garden", "why do tokens come one by one?");
    await until("it has started", () => ada.got("token").length >= 10);
    const [late, said] = await read("garden")();
    await until("it is done", () => late.got("done").length === 1 && ada.got("done").length === 1);

    assert.deepEqual(nothing, []);
    assert.deepEqual(ada.got("asked")[0][0].prompt, "why do tokens come one by one?");
    const indexes = ada.got("token").map(([of, index]) => [of, index]);
    assert.deepEqual(indexes, Array.from(indexes, (_, index) => [id, index]));
    assert.ok(said[0].tokens.length >= 10 && !said[0].done);
    const put = [...said[0].tokens];
    for (const [, index, text] of late.got("token")) {
      put[index] = text;
    }
    assert.deepEqual(put, texts(ada));
    assert.match(put.join(""), /I am a fake model/);
  });

  test("an answer is stopped by a hub method, and the room is free again", async () => {
    const [ada] = await read("orchard")();
    const id = await ada.invoke("ask", "orchard", "why?");
    await until("it has started", () => ada.got("token").length >= 3);
    assert.match(await refusal(ada.invoke("ask", "orchard", "and?")), /The room already has a running answer/);

    assert.equal(await ada.invoke("cancel", id), true);
    await until("it ends", () => ada.got("done").length === 1);
    assert.equal(await ada.invoke("cancel", id), false);

    const [late, said] = await read("orchard")();
    assert.deepEqual(said[0].tokens, texts(ada));
    assert.equal(said[0].done, true);
    await late.stop();
  });

  test("two tabs read the same text, one of them late, and either stops it", async () => {
    const ada = await open(example.url);
    await ada.getByTestId("prompt").fill("What is a token?");
    await ada.getByTestId("send").click();
    await ada.getByText(/I am a fake model/).waitFor();

    const late = await open(example.url);
    await late.getByText(/I am a fake model/).waitFor();
    await browser.picture(late, "tokens");
    await late.getByTestId("stop").click();
    await ada.getByTestId("send").waitFor();
    await late.getByTestId("send").waitFor();

    const text = (tab) => tab.locator(".text").textContent();
    assert.equal(await text(ada), await text(late));
    await ada.getByTestId("room").fill("other-room");
    await ada.getByRole("button", { name: "Go" }).click();
    await ada.locator(".text").waitFor({ state: "detached" });
    await ada.getByTestId("room").fill("two words");
    await ada.getByRole("button", { name: "Go" }).click();
    await ada.getByRole("alert").getByText("A room's name has 1 to 40 letters").waitFor();
    await fitsTelephone(example.url, "tokens", (tab) => tab.locator(".text").waitFor());
  });

  test("the room is in the URL, and Back leads to the one before", async () => {
    const [writer] = await read("library")();
    await writer.invoke("ask", "library", "why?");
    const tab = await open(`${example.url}/#library`);
    await tab.locator(".text").waitFor();
    await tab.getByTestId("room").fill("empty");
    await tab.getByRole("button", { name: "Go" }).click();
    await tab.locator(".text").waitFor({ state: "detached" });

    await tab.goBack();
    await tab.locator(".text").waitFor();
    assert.equal(await tab.getByTestId("room").inputValue(), "library");
    const other = await open(`${example.url}/#50%`);
    assert.equal(new URL(other.url()).hash, "#lobby", "no room has this name");
    await writer.stop();
  });

  test("it stops on request, also while an answer is written", async () => {
    const [client] = await read("last")();
    await client.invoke("ask", "last", "why?");
    await endsCleanly(example, client);
  });
});

describe("axum-nested", () => {
  let example;
  before(async () => {
    example = await startExample("axum-nested");
  });

  const note = (text) => fetch(`${example.url}/api/notes`, { method: "POST", body: text });

  test("hub and HTTP routes share one board", async () => {
    const ada = await connect(`${example.url}/realtime/board`, { listen: ["added", "removed"] });

    const created = await note("milk");
    const id = await ada.invoke("add", "bread");
    const listed = await (await fetch(`${example.url}/api/notes`)).json();
    const removed = await fetch(`${example.url}/api/notes/${id}`, { method: "DELETE" });

    assert.equal(created.status, 201);
    assert.equal(removed.status, 204);
    assert.deepEqual(listed.map(({ text }) => text), ["milk", "bread"]);
    await until("ada receives all", () => ada.got("removed").length === 1);
    assert.deepEqual(ada.got("added").map(([{ text }]) => text), ["milk", "bread"]);
    assert.deepEqual(ada.got("removed"), [[id]]);
    assert.equal(await refusal(ada.invoke("remove", id)), `There is no note ${id}.`);
    assert.equal((await note(" ")).status, 400);
  });

  test("a note from curl appears on the page, and a note that the page removes is gone everywhere", async () => {
    const [one, other] = [await open(example.url), await open(example.url)];
    await note("from a shell");
    await one.getByText("from a shell", { exact: true }).waitFor();
    await one.getByTestId("text").fill("from a page");
    await one.getByTestId("pin").click();
    await other.getByText("from a page", { exact: true }).waitFor();
    await browser.picture(other, "axum-nested");

    const shell = other.locator(".note", { hasText: "from a shell" });
    await shell.getByRole("button", { name: "Remove" }).click();
    await one.locator(".note", { hasText: "from a shell" }).waitFor({ state: "detached" });
    await fitsTelephone(example.url, "axum-nested");
  });

  test("it shuts down gracefully: clients are told to reconnect", async () => {
    const client = await connect(`${example.url}/realtime/board`);
    await endsCleanly(example, client);
  });
});

test("no page has errors or violations of its content security policy", () => {
  assert.deepEqual(browser.mistakes, []);
});
