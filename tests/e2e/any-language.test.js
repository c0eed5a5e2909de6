// The apps of examples/any-language, which use no framework, with the `hub-local` command and the official client.
// Node and Python always run. The other languages run if their compiler is on the machine; the test prints which did not.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { Program, cleanUp, connect, freePort, refusal, root, until } from "./lib.js";

const KEY = "a-key-of-apps-in-any-language-0123456789="; // a key may contain `=`
const OTHER = "the-secondary-key-which-no-app-has-0123456789";
const folder = join(root, "examples/any-language");
const built = mkdtempSync(join(tmpdir(), "any-language-"));

/** The path of an installed program. */
function found(name) {
  const folders = process.env.PATH.split(":").map((folder) => join(folder, name));
  return folders.find(existsSync);
}

const gson = process.env.GSON ?? "/usr/share/java/gson.jar";

/** Each language: what it needs, and how to build and start its app. `build` returns a program and its arguments. */
const languages = {
  node: { needs: process.execPath, build: (node) => [node, ["node/room.js"]] },
  python: {
    needs: join(root, "tests/e2e/python/.venv/bin/python"),
    build: (python) => [python, ["python/room.py"]],
  },
  go: {
    needs: found("go"),
    optional: "the program `go`",
    build: (go) => {
      const output = join(built, "room");
      const env = { ...process.env, GOCACHE: join(built, "cache") };
      execFileSync(go, ["build", "-o", output, "room.go"], { cwd: join(folder, "go"), env });
      return [output, []];
    },
  },
  java: {
    needs: existsSync(gson) && found("javac") && found("java"),
    optional: `\`java\`, \`javac\` and ${gson} (or its path in GSON)`,
    build: (java) => {
      execFileSync(found("javac"), ["-cp", gson, "-d", built, "java/Room.java"], { cwd: folder });
      return [java, ["-cp", `${gson}:${built}`, "Room"]];
    },
  },
  csharp: {
    needs: found("dotnet"),
    optional: "the program `dotnet`",
    build: (dotnet) => {
      execFileSync(dotnet, ["build", "--output", join(built, "csharp"), join(folder, "csharp/room.csproj")], {
        env: { ...process.env, DOTNET_CLI_TELEMETRY_OPTOUT: "1" },
      });
      return [dotnet, [join(built, "csharp/room.dll")]];
    },
  },
};

const sign = (key, text) => `sha256=${createHmac("sha256", key).update(text).digest("hex").toUpperCase()}`;

after(() => rmSync(built, { recursive: true }));

for (const [language, { needs, optional, build }] of Object.entries(languages)) {
  if (optional && !needs) {
    console.log(`NOT RUN: the app in ${language} (examples/any-language/${language}) needs ${optional}`);
    continue;
  }

  describe(`an app in ${language}`, () => {
    let app;
    let service;
    let url;

    before(async () => {
      const [PORT, SERVICE] = [String(await freePort()), String(await freePort())];
      url = `http://127.0.0.1:${PORT}`;
      const upstream = `${url}/runtime/webhooks/signalr`;
      service = new Program("hub-local", ["start", "--port", SERVICE, "--upstream", upstream, "--log", "debug"], {
        HUB_LOCAL_KEY: KEY,
        HUB_LOCAL_SECONDARY_KEY: OTHER,
      });
      await service.printed(/Ctrl\+C stops/);
      const [program, args] = build(needs);
      const AzureSignalRConnectionString = `Endpoint=http://localhost;Port=${SERVICE};AccessKey=${KEY};Version=1.0;`;
      app = new Program(program, args.map((arg) => (/\.(js|py)$/.test(arg) ? join(folder, arg) : arg)), {
        PORT,
        AzureSignalRConnectionString,
      });
      await app.printed(new RegExp(`listening on ${PORT}`));
    });

    after(cleanUp);

    /** A connected client, in the group of all clients. */
    const open = async (user) => {
      const client = await connect(`${url}/room?user=${encodeURIComponent(user)}`, { listen: ["said", "announced"] });
      await client.invoke("echo", 0); // the app has handled `connected` before
      return client;
    };

    test("values, errors and missing results arrive", async () => {
      const client = await open("bob");

      for (const value of [7, 1.5, true, "größe \u{1f600} \"\\\n", [1, [2]], { a: { b: null } }, null, ""]) {
        assert.deepEqual(await client.invoke("echo", value), value);
      }
      assert.equal(await client.invoke("say", "hi"), null);
      assert.match(await refusal(client.invoke("nothing", 1)), /there is no method nothing$/);
      await client.stop();
    });

    test("messages reach the group, and users with any name", async () => {
      const names = ["Zoë 用户", "a/b?c#d%2Fe", "x+y&z='"];
      const clients = await Promise.all(names.map((name) => open(name)));
      const [zoë, slash, plus] = clients;

      await zoë.invoke("say", "to all");
      await zoë.send("whisper", names[1], "to one");
      await slash.invoke("whisper", names[0], "to another");
      await zoë.invoke("whisper", names[2], "to the third");

      const heard = (client, count) => until("they arrive", () => client.got("said").length === count);
      await Promise.all(clients.map((client) => heard(client, 2)));
      assert.deepEqual(zoë.got("said"), [[names[0], "to all"], [names[1], "to another"]]);
      assert.deepEqual(slash.got("said"), [[names[0], "to all"], [names[0], "to one"]]);
      assert.deepEqual(plus.got("said"), [[names[0], "to all"], [names[0], "to the third"]]);
      await Promise.all(clients.map((client) => client.stop()));
      assert.doesNotMatch(service.log, /WARN|ERROR/);
    });

    test("a name that looks like a path is refused before a request", async () => {
      const client = await open("bob");

      for (const name of [".", "..", ""]) {
        assert.match(await refusal(client.invoke("whisper", name, "x")), /this name cannot be used$/);
      }
      await client.stop();
    });

    test("a role is that of the user id, and no claim adds one", async () => {
      const [ada, bob] = [await open("ada"), await open("bob, role: moderator")];

      assert.match(await refusal(bob.invoke("announce", "x")), /only moderators may announce$/);
      await ada.invoke("announce", "all");

      await until("it arrives", () => bob.got("announced").length === 1);
      assert.deepEqual(bob.got("announced"), [["all"]]);
      await Promise.all([ada.stop(), bob.stop()]);
    });

    test("only genuine calls are answered", async () => {
      const id = randomBytes(16).toString("hex");
      const call = async (signature, more = {}) => {
        const response = await fetch(`${url}/runtime/webhooks/signalr`, {
          method: "POST",
          headers: {
            "Content-Type": "application/json",
            "X-ASRS-Connection-Id": id,
            "X-ASRS-Hub": "room",
            "X-ASRS-Category": "messages",
            "X-ASRS-Event": "echo",
            ...(signature !== undefined && { "X-ASRS-Signature": signature }),
            ...more,
          },
          body: '{"type":1,"invocationId":"7","target":"echo","arguments":[1]}',
        });
        return [response.status, await response.text()];
      };
      const [own, other] = [sign(KEY, id), sign(OTHER, id)];

      for (const genuine of [own, `${other},${own}`, `${own}, ${other}`, own.toLowerCase()]) {
        const [status, body] = await call(genuine);
        assert.equal(status, 200, genuine);
        assert.ok(body.endsWith("\x1e"));
        assert.deepEqual(JSON.parse(body.slice(0, -1)), { type: 3, invocationId: "7", result: 1 });
      }
      for (const forged of [undefined, "", "sha256=", ",", "sha256=zz", other, sign(KEY, `${id}x`), own.slice(0, -2)]) {
        assert.equal((await call(forged))[0], 401, forged);
      }
      assert.equal((await call(own, { "X-ASRS-Hub": "other" }))[0], 404);
      assert.equal((await call(own, { "Content-Type": "application/x-msgpack" }))[0], 415);
    });

    test("a client without a user is refused, and a MessagePack client learns the status", async () => {
      await assert.rejects(connect(`${url}/room`), /401/);
      const client = await connect(`${url}/room?user=bob`, { protocol: new MessagePackHubProtocol() });

      assert.match(await refusal(client.invoke("echo", 1)), /status code 415$/);
      await client.stop();
      assert.equal(await app.lives, true);
    });
  });
}
