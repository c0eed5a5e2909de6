// Client, service and app under load, with client results and failures: with the service inside the app,
// and with the service in a separate process.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { cleanUp, connect, refusal, until } from "./lib.js";
import { embedded, twoProcesses } from "./sites.js";

const FLOOD = 2_000;
const numbers = Array.from({ length: FLOOD }, (_, number) => [number]);

// The WebSocket of the client, to break it without a close.
const require = createRequire(import.meta.url);
const WebSocket = createRequire(require.resolve("@microsoft/signalr"))("ws");

for (const [name, begin] of Object.entries({ "embedded service": embedded, "two processes": twoProcesses })) {
  describe(name, () => {
    let site;

    before(async () => {
      site = await begin();
    });

    after(cleanUp);

    test(`${FLOOD} messages of the hub arrive once each and in order`, async () => {
      const client = await connect(site.url, { listen: ["number"] });
      const other = await connect(site.url, { listen: ["number"] });

      await client.invoke("countForMe", FLOOD);
      await until("all have arrived", () => client.got("number").length >= FLOOD);
      assert.deepEqual(client.got("number"), numbers);
      assert.deepEqual(other.got("number"), [], "another client got none of them");

      await client.invoke("countForAll", FLOOD);
      await until("all have arrived", () => client.got("number").length >= 2 * FLOOD);
      await until("all have arrived", () => other.got("number").length >= FLOOD);
      assert.deepEqual(client.got("number"), [...numbers, ...numbers]);
      assert.deepEqual(other.got("number"), numbers);
      await Promise.all([client.stop(), other.stop()]);
    });

    test(`${FLOOD} messages of the client are called once each and in order`, async () => {
      const client = await connect(site.url, { listen: ["number"] });

      await Promise.all(numbers.map(([number]) => client.send("giveBack", number)));
      await until("all have come back", () => client.got("number").length >= FLOOD, 60_000);
      assert.equal(await client.invoke("echo", 7), 7);

      assert.deepEqual(client.got("number"), numbers);
      await client.stop();
    });

    test("a hub method invokes its own caller, whose five further calls are answered in order", async () => {
      const order = [];
      let release;
      const held = new Promise((resolve) => (release = resolve));
      const question = async (text) => {
        await held;
        order.push("question");
        return `${text} yes`;
      };
      const client = await connect(site.url, { on: { question } });
      const other = await connect(site.url);

      const calls = [client.invoke("askMe", "really?").then((answer) => order.push(answer))];
      for (const number of [1, 2, 3, 4, 5]) {
        calls.push(client.invoke("echo", number).then((echoed) => order.push(echoed)));
      }
      assert.equal(await other.invoke("echo", 6), 6, "another client does not wait");
      assert(!order.includes("question"));
      release();
      await Promise.all(calls);

      // While the method waits for its caller, further calls of this client go to the app.
      assert.deepEqual(order.filter((it) => typeof it === "number"), [1, 2, 3, 4, 5]);
      assert.deepEqual(order.filter((it) => typeof it === "string"), ["question", "really? yes"]);
      await Promise.all([client.stop(), other.stop()]);
    });

    test("a client can be invoked during connected", async () => {
      const client = await connect(`${site.url}?greet=hello`, {
        listen: ["answered"],
        on: { question: (text) => `${text} to you` },
      });

      await until("the answer comes back", () => client.got("answered").length > 0);

      assert.deepEqual(client.got("answered"), [["hello to you"]]);
      await client.stop();
    });

    for (const [how, leave] of [
      ["closes", (client) => void client.stop()],
      ["hangs up", (_, socket) => socket.terminate()],
    ]) {
      test(`a client that ${how} during a client result: the method gets an error within 100 ms`, async () => {
        const observer = await connect(site.url, { listen: ["asked", "answered", "unanswered"] });
        const id = await observer.invoke("identity");
        const delays = [];

        // The best of three attempts, because the machine may be busy. Without the notification, every attempt would
        // take longer.
        for (let round = 1; round <= 3 && !delays.some((delay) => delay <= 100); round += 1) {
          let socket;
          let shown;
          const asked = new Promise((resolve) => (shown = resolve));
          class Watched extends WebSocket {
            constructor(...args) {
              super(...args);
              socket = this;
            }
          }
          const client = await connect(site.url, {
            on: { question: () => new Promise(shown) },
            options: { WebSocket: Watched },
          });
          client.invoke("askWatched", id).catch(() => {});
          await asked;
          await until("the observer knows", () => observer.got("asked").length === round);

          const left = Date.now();
          leave(client, socket);
          await until("the method has ended", () => observer.got("unanswered").length === round);
          const [why, at] = observer.got("unanswered").at(-1);
          assert.match(why, /no longer connected/);
          delays.push(at - left);
          await client.stop();
        }

        assert.ok(Math.min(...delays) <= 100, `it took ${delays} ms`);
        assert.deepEqual(observer.got("answered"), []);
        await observer.stop();
      });
    }

    test("one client invokes another through the hub", async () => {
      const oracle = await connect(site.url, {
        on: {
          question: (text) => {
            if (text === "impossible") {
              throw new Error("I do not know");
            }
            return `42 is ${text}`;
          },
        },
      });
      const asker = await connect(site.url);
      const id = await oracle.invoke("identity");

      assert.equal(await asker.invoke("ask", id, "the answer"), "42 is the answer");
      assert.match(await refusal(asker.invoke("ask", id, "impossible")), /I do not know/);
      await oracle.stop();
      assert.match(await refusal(asker.invoke("ask", id, "gone")), /no longer connected/);
      await asker.stop();
    });

    test("a panic and an internal error show a sentence and an id, and the log has the cause", async () => {
      const client = await connect(site.url);

      for (const [method, cause] of [
        ["panic", "the cause of the panic"],
        ["fail", "the database password is wrong"],
      ]) {
        const text = await refusal(client.invoke(method));

        assert.doesNotMatch(text, new RegExp(cause), "the cause is the operator's");
        const [, id] = text.match(/error id:? `?([0-9a-z-]{6,})/i) ?? assert.fail(`no error id in: ${text}`);
        const [line] = await site.app.logged(new RegExp(`^.*ERROR.*${id}.*$`, "m"));
        assert.match(line, new RegExp(cause));
      }

      assert.equal(await client.invoke("echo", 1), 1, "the connection still works");
      assert.ok(site.app.lives);
      await client.stop();
    });

    if (begin === twoProcesses) {
      test("the app restarts, and its clients stay connected to the service", async () => {
        const client = await connect(site.url, { listen: ["number"] });
        assert.equal(await client.invoke("echo", 1), 1);

        await site.app.stop("SIGKILL");
        assert.notEqual(await refusal(client.invoke("echo", 2)), "");
        site.app = await site.start();

        assert.equal(await client.invoke("echo", 3), 3);
        await client.invoke("countForAll", 1);
        await until("the new app reaches it", () => client.got("number").length === 1);
        await client.stop();
      });
    }

    test("while the app waits for a running call during shutdown, negotiate gets 503", async () => {
      const client = await connect(site.url, { listen: ["number"] });
      await client.send("dawdle", 2_000);
      await until("the call has started", () => client.got("number").length === 1);

      site.app.child.kill("SIGTERM");
      const status = await until("the negotiate is refused", async () => {
        const answer = await fetch(`${site.url}/negotiate?negotiateVersion=1`, { method: "POST" });
        return answer.status === 200 ? undefined : answer.status;
      });

      assert.equal(status, 503);
      assert.deepEqual(await site.app.ended, { code: 0, signal: null });
      await client.stop();
    });
  });
}
