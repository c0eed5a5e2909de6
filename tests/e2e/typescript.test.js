// The files of the command `typescript`: under `tsc --strict`, with Prettier, and with values that a real hub sends, in
// both protocols. A change of a hub fails at the line of the page.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import * as prettier from "prettier";
import ts from "typescript";
import { Program, connect, freePort, program, root, until } from "./lib.js";
import { Types, errors, folder, run, strict } from "./typed.js";

const examples = join(root, "examples");
const files = folder();
const PROTOCOLS = ["json", "messagepack"];

/** Generates a file of an app. */
function generate(app, name, args = [], env = {}) {
  run(program(app), ["typescript", join(files, name), ...args], env);
  return join(files, name);
}

before(() => {
  for (const protocol of PROTOCOLS) {
    generate("forms-app", `${protocol}.ts`, ["--protocol", protocol]);
    generate("forms-app", `${protocol}.mjs`, ["--protocol", protocol, "--js"]);
  }
});

describe("the file", () => {
  test("compiles under tsc --strict, with the connection of each client from 8 to 10", () => {
    const use = ["@microsoft/signalr", "signalr-8", "signalr-9"].map((client, at) => {
      const path = join(root, "tests/e2e", `node_modules/.typed-use-${at}.ts`);
      const text = `import type { HubConnection } from "${client}";
        import { createFormsHub, registerFormsClient, type FormsClient } from "${join(files, "json.js")}";
        export async function use(connection: HubConnection, handlers: FormsClient): Promise<number> {
          registerFormsClient(connection, handlers)();
          return (await createFormsHub(connection).tuples())[0]![2][1]!.x;
        }`;
      writeFileSync(path, text);
      return path;
    });
    const all = ["json.ts", "messagepack.ts", "json.d.mts"].map((name) => join(files, name));

    const found = errors([...all, ...use], { ...strict, skipLibCheck: true });
    use.forEach((path) => rmSync(path));

    assert.deepEqual(found, []);
  });

  test("is formatted as Prettier does", async () => {
    const pages = readdirSync(examples, { recursive: true }).filter((name) => /-hub\.(js|d\.ts)$/.test(name));
    assert.equal(pages.length, 10);
    const all = [
      ...["json.ts", "messagepack.ts", "json.mjs", "json.d.mts"].map((name) => join(files, name)),
      ...pages.map((name) => join(examples, name)),
    ];
    for (const path of all) {
      const text = readFileSync(path, "utf8");
      assert.equal(await prettier.format(text, { filepath: path }), text, path);
    }
  });

  test("requires all handlers, answers to questions, and arguments of the right type", () => {
    const path = join(files, "wrong.ts");
    const lines = [
      `import { createFormsHub, type FormsClient, type HubCaller, type Mood } from "./json.js";`,
      `declare const connection: HubCaller;`,
      `declare const handlers: FormsClient;`,
      `const hub = createFormsHub(connection);`,
      `await hub.options("a", 1, "calm");`,
      `await hub.options("a", 1, "loud");`,
      `await hub.options();`,
      `const { moods, ...fewer } = handlers; moods("calm");`,
      `export const incomplete: FormsClient = fewer;`,
      `export const silent: FormsClient = { ...handlers, askMoods: (mood) => console.log(mood) };`,
      `export const async: FormsClient = { ...handlers, askMoods: async (mood) => mood };`,
      `export const mood: Mood = (await hub.levels())[0]!;`,
      `export const empty: FormsClient = { ...handlers, askValues() {} };`,
      `export const none: FormsClient = { ...handlers, askValues: async () => null };`,
    ];
    writeFileSync(path, lines.join("\n"));

    const found = errors([path], strict).map((text) => Number(text.split(":")[1]));

    assert.deepEqual(found, [6, 7, 9, 10, 12, 13]);
  });
});

describe("values of generated types", () => {
  let app;
  let url;

  before(async () => {
    const [PORT, HUB_LOCAL_PORT] = [String(await freePort()), String(await freePort())];
    app = new Program("forms-app", [], { PORT, HUB_LOCAL_PORT });
    await app.printed(new RegExp(`127\\.0\\.0\\.1:${PORT}\\b`));
    url = `http://127.0.0.1:${PORT}/forms`;
  });

  after(() => app.stop("SIGKILL"));

  /** Handlers that compare values with the types of a client. They return the last message as an answer. */
  function checked(types, client) {
    const [got, mismatches] = [new Map(), []];
    // The client logs an error of a handler and continues, so the handlers collect mismatches.
    const fits = (type, value, where) => {
      const mismatch = types.mismatch(type, value);
      if (mismatch) {
        mismatches.push(`${where}: ${mismatch}`);
      }
    };
    const handlers = [...client].map(([name, { parameters, result }]) => {
      const handler = (...args) => {
        args.forEach((value, at) => fits(parameters[at], value, `${name} of the client`));
        got.set(name, (got.get(name) ?? 0) + 1);
        if (!name.startsWith("ask")) {
          got.message = args[0];
          return undefined;
        }
        // A question has the form of JSON in both protocols, and the answer that of the protocol.
        const answer = got.message ?? args[0];
        fits(result, answer, `answer of ${name}`);
        return answer;
      };
      return [name, handler];
    });
    return { handlers: Object.fromEntries(handlers), got, fits, mismatches };
  }

  for (const protocol of PROTOCOLS) {
    test(`of each form are of their type: ${protocol}`, async () => {
      const types = new Types(join(files, `${protocol}.ts`));
      const [methods, client] = [types.methods("FormsHub"), types.methods("FormsClient")];
      const forms = [...methods.keys()].filter((name) => methods.has(`take${name[0].toUpperCase()}${name.slice(1)}`));
      assert.ok(forms.length >= 30, `only ${forms.length} forms`);

      const { createFormsHub, registerFormsClient } = await import(join(files, `${protocol}.mjs`));
      const packed = protocol === "messagepack" && new MessagePackHubProtocol();
      const connection = await connect(url, packed ? { protocol: packed } : {});
      const { handlers, got, fits, mismatches } = checked(types, client);
      registerFormsClient(connection, handlers);
      const hub = createFormsHub(connection);

      for (const name of forms) {
        const title = `${name[0].toUpperCase()}${name.slice(1)}`;
        const samples = await hub[name]();
        fits(methods.get(name).result, samples, `result of ${name}`);
        for (const [at, sample] of samples.entries()) {
          fits(methods.get(`take${title}`).parameters[0], sample, `argument of take${title}`);
          assert.equal(await hub[`take${title}`](sample), at, name);
        }
        await until(`the samples of ${name}`, () => [name, `ask${title}`].every((each) => got.get(each) === samples.length));
      }
      assert.equal(await hub.sum(1, 2, 3), 6);
      assert.equal(await hub.pair(1, "a"), "1 a");
      assert.equal(await hub.options("a"), "a None None");
      assert.equal(await hub.options("a", 1, "veryLoud"), 'a Some(1) Some("\\"veryLoud\\"")');
      assert.equal(await hub.takeOptionals({}), 0);
      fits(methods.get("nothing").result, await hub.nothing(), "nothing");
      await connection.stop();
      assert.deepEqual(mismatches, []);
    });
  }

  test("of another type are found in messages, questions and answers", async () => {
    const types = new Types(join(files, "json.ts"));
    const client = types.methods("FormsClient");
    client.set("letters", client.get("booleans"));
    client.set("askLetters", client.get("askNumbers"));
    const { createFormsHub, registerFormsClient } = await import(join(files, "json.mjs"));
    const connection = await connect(url);
    const { handlers, mismatches } = checked(types, client);
    registerFormsClient(connection, handlers);

    await createFormsHub(connection).letters();

    await until("both samples are compared", () => mismatches.length === 6);
    assert.equal(mismatches[0], 'letters of the client: value is "a", not boolean');
    assert.match(mismatches[1], /^askLetters of the client: value is "a", not Numbers/);
    assert.match(mismatches[2], /^answer of askLetters: value is "a", not Numbers/);
    await connection.stop();
  });

  test("of another type are found", () => {
    const types = new Types(join(files, "messagepack.ts"));
    const result = (name) => types.methods("FormsHub").get(name).result;

    for (const [name, value, reason] of [
      ["booleans", [1], "value[0] is 1, not boolean"],
      ["moods", ["loud"], 'value[0] is "loud", not Mood'],
      ["maps", [{}], "value[0].by_flag is missing"],
      ["pages", [{ items: [{ x: 1, y: 2, z: 3 }], next: null }], "value[0].items[0].z is not in the type"],
      ["tuples", [[1, "a"]], /not \[number, string/],
      ["bytes", [{ list: [], adapted: "AQ==", buffer: null }], /value\[0\]\.adapted is "AQ==", not Uint8Array/],
    ]) {
      assert.match(types.mismatch(result(name), value) ?? "none", reason instanceof RegExp ? reason : new RegExp(reason.replace(/[[\].]/g, "\\$&")));
    }
  });
});

describe("pages", () => {
  const { options } = ts.parseJsonConfigFileContent(
    JSON.parse(readFileSync(join(examples, "tsconfig.json"), "utf8")),
    ts.sys,
    examples,
  );
  const page = join(examples, "chat/page");

  test("of all examples fit their hubs, and name no method in a text", () => {
    const all = ["chat", "counter", "progress", "tokens"].map((name) => join(examples, name, "page", `${name}.js`));
    all.push(join(examples, "axum-nested/page/board.js"));

    assert.deepEqual(errors(all, options), []);
    for (const path of all) {
      const text = readFileSync(path, "utf8");
      assert.match(text, /^\/\/ @ts-check\n/);
      assert.doesNotMatch(text, /\.(invoke|send|on)\(/);
    }
  });

  /** The errors of the chat's page with the file of a copy of its hub. */
  function chatWith(copy) {
    const place = join(files, copy);
    mkdirSync(place);
    for (const name of readdirSync(page).filter((name) => name.endsWith(".js"))) {
      copyFileSync(join(page, name), join(place, name));
    }
    copyFileSync(join(examples, "page/files/live.js"), join(place, "live.js"));
    generate("chat-copies", `${copy}/chat-hub.js`, ["--js"], { CHAT_COPY: copy });
    return errors([join(place, "chat.js")], options);
  }

  const line = (text) => {
    const lines = readFileSync(join(page, "chat.js"), "utf8").split("\n");
    return lines.findIndex((each) => each.includes(text)) + 1;
  };

  test("of a hub without a change compile", () => {
    assert.deepEqual(chatWith("unchanged"), []);
    for (const name of ["chat-hub.js", "chat-hub.d.ts"]) {
      assert.equal(readFileSync(join(files, "unchanged", name), "utf8"), readFileSync(join(page, name), "utf8"));
    }
  });

  test("fail at their line when a method has another name", () => {
    assert.deepEqual(chatWith("renamed"), [
      `chat.js:${line("hub.sendMessage(")}: Property 'sendMessage' does not exist on type 'ChatHub'.`,
    ]);
  });

  test("fail at their line when a field has another type", () => {
    const found = chatWith("retyped");

    assert.deepEqual(found.map((text) => text.split(": ")[0]), [
      `chat.js:${line("const message = { from, text")}`,
      `chat.js:${line("waiting.text === text")}`,
    ]);
    assert.match(found[0], /Type 'string\[\]' is not assignable to type 'string'/);
  });
});

describe("the command", () => {
  const chat = (...args) => {
    const { PATH } = process.env;
    const { status, stdout, stderr } = spawnSync(program("chat"), ["typescript", ...args], { env: { PATH, RUST_LOG: "error" }, encoding: "utf8" });
    return { status, stdout, stderr };
  };

  test("ends with 0, 1 or 2, and prints the reason", () => {
    const path = join(files, "command.ts");
    assert.deepEqual(chat(path), { status: 0, stdout: `Wrote    ${path}\n`, stderr: "" });
    assert.deepEqual(chat(path), { status: 0, stdout: `Current  ${path}\n`, stderr: "" });
    assert.deepEqual(chat(path, "--check"), { status: 0, stdout: `Current  ${path}\n`, stderr: "" });

    writeFileSync(path, readFileSync(path, "utf8").replaceAll("sendMessage", "sendText"));
    const stale = chat(path, "--check");
    assert.equal(stale.status, 1);
    assert.match(stale.stdout, /^-  sendText\($/m);
    assert.match(stale.stdout, /^\+  sendMessage\($/m);
    assert.equal(stale.stderr, `Error: \`${path}\` is not current: run the command without --check\n`);

    assert.equal(chat(files).stderr, `Error: \`${files}\` is a folder: name a file in it\n`);
    assert.equal(chat(files).status, 1);
    const usage = chat(path, "--chek");
    assert.equal(usage.status, 2);
    assert.match(usage.stderr, /^error: unexpected argument `--chek`\n\nUsage: chat typescript PATH/);
  });

  test("warns about each type without a schema", () => {
    const { PATH } = process.env;
    const args = ["typescript", join(files, "warned.ts")];
    const { stderr } = spawnSync(program("forms-app"), args, { env: { PATH }, encoding: "utf8" });

    assert.equal(stderr, "warning: `forms_app::Opaque` is `unknown` in TypeScript: derive `schemars::JsonSchema`\n");
  });
});
