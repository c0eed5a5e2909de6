// `startHubLocal` of the npm package, installed from the packed files.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Program, cleanUp, connect, refusal, until, within } from "../e2e/lib.js";
import { base, env, install, output, script, writeExamples } from "./npm.js";

let folder;
let startHubLocal;

before(async () => {
  folder = install("module");
  writeExamples(folder);
  ({ startHubLocal } = createRequire(join(folder, "x.js"))("hub-local"));
  for (const name of Object.keys(process.env).filter((it) => it.startsWith("HUB_LOCAL_"))) {
    delete process.env[name];
  }
});

after(cleanUp);

const health = (url) => fetch(`${url}/api/health`).then((response) => response.status, () => undefined);
const isDown = (url) => until(`nothing listens at ${url}`, async () => (await health(url)) === undefined);

/** Runs a module in the folder of the package, and waits for the URL that it prints. */
async function started(text, variables = {}) {
  const file = join(folder, "started.mjs");
  writeFileSync(file, `import { startHubLocal } from "hub-local";\nconst local = await startHubLocal();\n${text}\n`);
  return new Program(process.execPath, [file], { ...env, ...variables }, { cwd: folder });
}

test("the service listens on a free port, and its addresses are those of the result", async () => {
  const local = await startHubLocal({ key: "a-key-of-the-npm-tests-0123456789" });

  assert.deepEqual(Object.keys(local).sort(), ["connectionString", "inspector", "port", "stop", "url"]);
  assert.equal(local.url, `http://127.0.0.1:${local.port}`);
  const expected = `Endpoint=http://127.0.0.1;Port=${local.port};AccessKey=a-key-of-the-npm-tests-0123456789;Version=1.0;`;
  assert.ok(local.connectionString === expected);
  assert.ok(local.inspector.startsWith(`${local.url}/inspector#`));
  assert.equal(await health(local.url), 200);
  await local.stop();
  assert.equal(await health(local.url), undefined);
});

test("clients call the app of each hub", async () => {
  let connectionString;
  const { createApp } = await import(pathToFileURL(join(folder, "app.js")));
  const app = createApp(() => connectionString).listen(0, "127.0.0.1");
  await once(app, "listening");
  const url = `http://127.0.0.1:${app.address().port}`;
  const other = createServer((_, response) => response.writeHead(500).end()).listen(0, "127.0.0.1");
  await once(other, "listening");
  // The URL of all other hubs is first here, and must not be used for the hub `chat`.
  const upstream = { "*": `http://127.0.0.1:${other.address().port}`, chat: url };

  for (const local of [await startHubLocal({ upstream: url }), await startHubLocal({ upstream, log: "error" })]) {
    connectionString = local.connectionString;
    const client = await connect(`${url}/chat`);
    assert.equal(await client.invoke("shout", "hello"), "HELLO");
    const closed = new Promise((resolve) => client.onclose(resolve));
    await local.stop();
    await within("the client is closed", closed);
  }
  [app, other].forEach((server) => (server.close(), server.closeAllConnections()));
});

test("options reach the service", async () => {
  const local = await startHubLocal({ args: ["--url", "http://localhost:1234"], env: { HUB_LOCAL_INSPECTOR: "off" } });

  assert.equal(local.url, "http://localhost:1234");
  assert.equal(local.inspector, null);
  assert.equal(await health(`http://127.0.0.1:${local.port}`), 200);
  await local.stop();
});

test("the URL of another service in the environment is not used", async () => {
  process.env.HUB_LOCAL_URL = "http://localhost:8888";
  const local = await startHubLocal();
  delete process.env.HUB_LOCAL_URL;

  assert.equal(local.url, `http://127.0.0.1:${local.port}`);
  await local.stop();
});

test("the key is not an argument of the process", async (context) => {
  if (process.platform !== "linux") return context.skip("needs /proc");
  const local = await startHubLocal({ key: "a-key-of-the-npm-tests-0123456789" });
  const lines = readFileSync("/proc/self/task/" + process.pid + "/children", "utf8").trim().split(" ");

  const commandLines = lines.map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8"));

  assert.ok(commandLines.some((line) => line.includes("--stop-with-stdin")));
  assert.ok(!commandLines.some((line) => line.includes("a-key-of")));
  await local.stop();
});

test("stop can be called again, and is the disposal", async () => {
  const local = await startHubLocal();

  const [first, second] = [local.stop(), local.stop()];

  assert.equal(first, second);
  await first;
  await local.stop();
  if (Symbol.asyncDispose) {
    const disposed = await startHubLocal();
    await disposed[Symbol.asyncDispose]();
    assert.equal(await health(disposed.url), undefined);
  }
});

test("a service that does not stop is killed", { timeout: 60_000 }, async () => {
  const line = '{"url":"http://127.0.0.1:1","port":1,"connectionString":"","inspector":null}';
  const local = await startHubLocal({ env: script("stays", `echo '${line}'; trap '' TERM; exec sleep 1000`) });
  const begin = Date.now();

  await local.stop();

  assert.ok(Date.now() - begin > 10_000, "killed before the service had its time");
});

test("a start that fails rejects with what the service printed", async () => {
  const local = await startHubLocal();

  const busy = await refusal(startHubLocal({ port: local.port }));
  assert.match(busy, /^hub-local ended before it accepted connections, with exit code 1:\nerror: cannot listen on 127\.0\.0\.1/);
  await local.stop();
  const wrong = await refusal(startHubLocal({ upstream: "localhost:7071" }));
  assert.match(wrong, /with exit code 2:[^]*must be an absolute URL/);
  const absent = await refusal(startHubLocal({ env: { HUB_LOCAL_BINARY: "/not/there" } }));
  assert.match(absent, /cannot be started from \/not\/there: .*ENOENT/);
  const killed = await refusal(startHubLocal({ env: script("killed", "kill -s KILL $$") }));
  assert.match(killed, /with SIGKILL$/);
  const old = await refusal(startHubLocal({ env: script("old", "echo hub-local; exec sleep 1000") }));
  assert.match(old, /printed no addresses; is it hub-local of version \d+\.\d+\.\d+, and is --help or --version in args\?$/);
  const help = await refusal(startHubLocal({ args: ["--help"] }));
  assert.match(help, /printed no addresses/);
  const alone = install("module-alone", "--omit=optional");
  const { startHubLocal: missing } = createRequire(join(alone, "x.js"))("hub-local");
  assert.match(await refusal(missing()), /is not installed[^]*npm install/);
});

test("a service that does not start in time is killed", async () => {
  const pid = join(base, "slow.pid");
  const slow = script("slow", `echo $$ > ${pid}; echo "I wait" >&2; exec sleep 1000`);

  const error = await refusal(startHubLocal({ env: slow, timeout: 500 }));

  assert.equal(error, "hub-local did not start within 500 ms:\nI wait");
  const id = Number(readFileSync(pid, "utf8"));
  await until("the process is gone", () => {
    try {
      return !process.kill(id, 0);
    } catch {
      return true;
    }
  });
});

test("without file descriptors, the start fails and nothing else does", async () => {
  writeFileSync(
    join(folder, "many.mjs"),
    `import { startHubLocal } from "hub-local";
     import { openSync } from "node:fs";
     const open = () => { for (;;) openSync("/dev/null"); };
     try { open(); } catch {}
     console.log(await startHubLocal().catch((error) => error.message));`,
  );

  const { code, out, log } = await output(folder, "/bin/sh", ["-c", `ulimit -n 60; exec "$0" many.mjs`, process.execPath]);

  assert.deepEqual([code, log], [0, ""]);
  assert.match(out, /^hub-local cannot be started from .*: spawn .* EMFILE\n$/);
});

test("wrong options are refused, and no value is shown", async () => {
  for (const [options, part] of [
    [{ upstreams: "http://127.0.0.1:1" }, /no option upstreams; its options are upstream, port, key/],
    [{ upstream: 7071 }, /upstream must be a URL, or an object/],
    [{ upstream: { chat: 1 } }, /upstream must be/],
    [{ upstream: {} }, /upstream must be a URL, or an object with a URL for each hub and at least one/],
    [{ upstream: { chat: undefined } }, /upstream must be/],
    [{ upstream: "http://127.0.0.1/?code=12345678\0" }, /upstream must be/],
    [{ key: "12345678\0" }, /key must be a string without NUL/],
    [{ args: ["--key", "12345678\0"] }, /args must be/],
    [{ env: { HUB_LOCAL_KEY: "12345678\0" } }, /env must be/],
    [{ env: { "12345678\0": "" } }, /env must be/],
    [{ port: "0" }, /port must be a number from 0 to 65535/],
    [{ port: 65536 }, /port must be/],
    [{ key: 12345678 }, /key must be a string/],
    [{ args: "--strict" }, /args must be an array/],
    [{ env: [] }, /env must be an object/],
    [{ timeout: 0 }, /timeout must be a number of milliseconds above 0/],
    [{ timeout: 2 ** 31 }, /timeout must be .* up to 2147483647/],
    [{ timeout: "1" }, /timeout must be/],
    [null, /options must be an object/],
  ]) {
    const error = await startHubLocal(options).then(() => assert.fail("accepted"), (error) => error);
    assert.ok(error instanceof TypeError);
    assert.match(error.message, part);
    assert.doesNotMatch(error.message, /12345678/);
  }
});

test("the log goes to standard error, at the start and while the service runs", async () => {
  const text = "await fetch(`${local.url}/api/hubs/chat/:send`, { method: 'POST', body: '{}' });\nsetInterval(() => {}, 1000);";
  const program = await started(text, { HUB_LOCAL_PRT: "1" });

  await program.logged(/HUB_LOCAL_PRT is not read/);
  await program.logged(/REST call refused/);

  await program.stop("SIGKILL");
});

test("the service ends when its Node process is killed", async () => {
  const program = await started("console.log(local.url);\nsetInterval(() => {}, 1000);");
  const [url] = await program.printed(/http:\S+/);
  assert.equal(await health(url), 200);

  await program.stop("SIGKILL");

  await isDown(url);
});

test("a service that is not stopped neither keeps the Node process running nor outlives it", async () => {
  const program = await started("console.log(local.url);");
  const [url] = await program.printed(/http:\S+/);

  assert.deepEqual(await within("the end", program.ended), { code: 0, signal: null });

  await isDown(url);
});

test("stop is waited for in a process that does nothing else", async () => {
  const program = await started("await local.stop();\nconsole.log(local.url, 'stopped');");

  assert.deepEqual(await within("the end", program.ended), { code: 0, signal: null });
  assert.match(program.out, /stopped/);
});

test("both kinds of modules get the function", async () => {
  const print = "console.log(typeof startHubLocal, Object.keys(hub).join())";
  const forms = {
    "esm.mjs": `import * as all from "hub-local";\nimport { startHubLocal } from "hub-local";\nimport hub from "hub-local";\n${print}`,
    "cjs.cjs": `const hub = require("hub-local");\nconst { startHubLocal } = hub;\n${print}`,
  };
  for (const [name, text] of Object.entries(forms)) {
    writeFileSync(join(folder, name), text);

    const { code, out, log } = await output(folder, process.execPath, [name]);

    assert.deepEqual([code, out], [0, "function startHubLocal\n"], log);
  }
});
