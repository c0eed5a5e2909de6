// An independent client: pysignalr, in Python. After the redirect of the app it opens its WebSocket
// without a second negotiate request.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { cleanUp, connect, refusal, until } from "./lib.js";
import { command, embedded } from "./sites.js";

const python = fileURLToPath(new URL("python/.venv/bin/python", import.meta.url));
const script = fileURLToPath(new URL("python/client.py", import.meta.url));

/** A running client. `said` contains its output. */
class PythonClient {
  said = [];
  log = "";

  constructor(url, protocol) {
    assert.ok(existsSync(python), `${python} is missing: tests/run makes it`);
    this.child = spawn(python, [script, url, protocol], { stdio: ["pipe", "pipe", "pipe"] });
    createInterface({ input: this.child.stdout }).on("line", (line) => this.said.push(JSON.parse(line)));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    this.ended = new Promise((resolve) => this.child.on("exit", resolve));
  }

  order(...order) {
    this.child.stdin.write(`${JSON.stringify(order)}\n`);
  }

  /** Waits for exactly this line of output. */
  prints(...expected) {
    return until(`it prints ${JSON.stringify(expected)}`, () => {
      assert.equal(this.child.exitCode, null, this.log);
      return this.said.find((line) => isDeepStrictEqual(line, expected));
    }).catch((error) => {
      throw new Error(`${error.message}; it said ${JSON.stringify(this.said)}\n${this.log}`);
    });
  }

  /** Waits for the response to a call. */
  async invoke(method, ...args) {
    const before = this.said.length;
    this.order("invoke", method, ...args);
    const [what, , result] = await until("it is answered", () =>
      this.said.slice(before).find(([what, name]) => what === "failed" || (what === "completed" && name === method)),
    );
    assert.equal(what, "completed");
    return result;
  }

  async stop() {
    this.child.stdin.end();
    assert.equal(await this.ended, 0, this.log);
  }
}

for (const [name, begin] of Object.entries({ "embedded service": embedded, command })) {
  describe(`pysignalr, ${name}`, () => {
    let site;
    const clients = [];

    before(async () => {
      site = await begin();
    });

    after(async () => {
      clients.forEach((client) => client.child.kill("SIGKILL"));
      await cleanUp();
    });

    for (const protocol of ["json", "messagepack"]) {
      const open = async (query = "") => {
        const client = new PythonClient(`${site.url}${query}`, protocol);
        clients.push(client);
        await client.prints("open");
        return client;
      };

      test(`the client connects, calls methods and receives messages, in ${protocol}`, async () => {
        const client = await open("?user=Zo%C3%AB");
        const id = await client.invoke("identity");

        await site.service.logged(
          new RegExp(`connected connection="${id}".*transport="WebSockets" protocol="${protocol}"`),
        );
        assert.equal(await client.invoke("whoAmI"), "Zoë");
        assert.equal(await client.invoke("echo", 7), 7);
        client.order("send", "giveBack", 8);
        await client.prints("number", 8);
        client.order("invoke", "echo", "x");
        await until("it is refused", () => client.said.find(([what]) => what === "failed"));
        assert.match(client.said.at(-1)[1], /argument 1 \(`number`\): invalid type: string "x"/);
        await client.stop();
      });

      test(`${protocol}: the client is in groups, and exchanges client results with the official client`, async () => {
        const client = await open();
        const official = await connect(site.url, { listen: ["number"], on: { question: (text) => `${text} yes` } });
        const [id, officialId] = [await client.invoke("identity"), await official.invoke("identity")];

        await client.invoke("join", "g");
        await official.invoke("join", "g");
        await official.invoke("numberToGroup", "g", 1);
        await client.prints("number", 1);
        await client.invoke("numberToGroup", "g", 2);
        await client.prints("number", 2);
        await until("both arrive", () => official.got("number").length === 2);

        assert.deepEqual(official.got("number"), [[1], [2]]);
        assert.equal(await official.invoke("ask", id, "the answer"), "42 is the answer");
        assert.match(await refusal(official.invoke("ask", id, "impossible")), /I do not know/);
        assert.equal(await client.invoke("ask", officialId, "really?"), "really? yes");
        await Promise.all([client.stop(), official.stop()]);
      });

      test(`${protocol}: 500 messages arrive once each and in order`, async () => {
        const client = await open();

        await client.invoke("countForMe", 500);
        await client.prints("number", 499);

        const numbers = client.said.filter(([what]) => what === "number");
        assert.deepEqual(numbers, Array.from({ length: 500 }, (_, number) => ["number", number]));
        await client.stop();
      });

      test(`${protocol}: disconnected is sent when the client leaves`, async () => {
        const client = await open();
        const observer = await connect(site.url, { listen: ["left"] });
        await observer.invoke("join", "observers");
        const id = await client.invoke("identity");

        await client.stop();

        await until("the observer knows", () => observer.got("left").some(([left]) => left === id));
        await observer.stop();
      });
    }

    test("bytes are bytes in MessagePack", async () => {
      const client = new PythonClient(site.url, "messagepack");
      clients.push(client);
      await client.prints("open");

      client.order("bytes", "reverse", Buffer.from([0, 1, 127, 128, 255]).toString("base64"));

      await client.prints("completed", "reverse", { bytes: Buffer.from([255, 128, 127, 1, 0]).toString("base64") });
      await client.stop();
    });
  });
}
