// The command of the npm package: `npx hub-local` in a folder in which only the packed files are installed.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Program, cleanUp, connect, root, until, within } from "../e2e/lib.js";
import { base, env, install, output, script, version, writeExamples } from "./npm.js";

const npx = ["/usr/bin/env", "npx", "hub-local"];
let folder;
let launcher;
let app;
let connectionString;
let disconnected;
/** How long the app takes for `disconnected`, in milliseconds. */
let disconnecting = 1000;

before(async () => {
  folder = install("command");
  launcher = join(folder, "node_modules/.bin/hub-local");
  writeExamples(folder);
  const { createApp } = await import(pathToFileURL(join(folder, "app.js")));
  const example = createApp(() => connectionString);
  app = createServer(async (request, response) => {
    if (request.headers["x-asrs-event"] === "disconnected") {
      await new Promise((resolve) => setTimeout(resolve, disconnecting));
      disconnected = true;
    }
    example.emit("request", request, response);
  }).listen(0, "127.0.0.1");
  await once(app, "listening");
});

const services = [];

after(async () => {
  await cleanUp();
  // A process that a failed test left behind holds the other ends.
  services.forEach(({ child }) => [child.stdout, child.stderr].forEach((stream) => stream.destroy()));
  app.close();
  app.closeAllConnections();
});

/** Starts the service through npx or the launcher. */
async function start(command, args = [], options = {}) {
  const [program, ...first] = [command].flat();
  const service = new Program(program, [...first, "start", "--port", "0", ...args], env, { cwd: folder, ...options });
  services.push(service);
  const [, port] = await service.printed(/Port=(\d+);/);
  await service.printed(/Ctrl\+C stops/);
  service.port = Number(port);
  return service;
}

/** Starts the service with a client, whose `disconnected` takes the app a second. */
async function startWithClient(command, options) {
  const url = `http://127.0.0.1:${app.address().port}`;
  const service = await start(command, ["--upstream", url], options);
  connectionString = `Endpoint=http://127.0.0.1;${service.out.match(/Port=\d+;AccessKey=\w+;Version=1.0;/)[0]}`;
  disconnected = false;
  const client = await connect(`${url}/chat`);
  return { service, client };
}

/** Checks that the app had its second for `disconnected`. */
async function isStoppedGracefully(service) {
  await until("the service ends", async () => !(await answers(service.port)));
  assert.equal(disconnected, true);
  assert.match(service.out, /Stopping: clients are closed/);
  assert.doesNotMatch(service.out + service.log, /stopped immediately/);
}

const answers = (port) => fetch(`http://127.0.0.1:${port}/api/health`).then(() => true, () => false);

test("npx runs the binary of this version", async () => {
  const { code, out } = await output(folder, npx[0], [...npx.slice(1), "--version"]);

  assert.equal(code, 0);
  assert.equal(out, `hub-local ${version}\n`);
});

test("a client of the service that npx starts calls the app", async () => {
  const { service, client } = await startWithClient(npx);

  assert.equal(await client.invoke("shout", "hello"), "HELLO");

  await client.stop();
  await service.stop("SIGTERM");
});

test("SIGTERM to npx stops the service gracefully", async () => {
  const { service, client } = await startWithClient(npx);
  const closed = new Promise((resolve) => client.onclose(resolve));

  await service.stop("SIGTERM");

  await within("the client is closed", closed);
  await isStoppedGracefully(service);
});

test("the exit code is that of the binary", async () => {
  const service = await start(launcher);

  const wrong = await output(folder, launcher, ["start", "--prot", "1"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.log, /--port/);
  const busy = await output(folder, launcher, ["start", "--port", String(service.port)]);
  assert.equal(busy.code, 1);
  assert.match(busy.log, /cannot listen on 127\.0\.0\.1/);
  const { code, out } = await output(folder, launcher, ["a b", "", "*"], script("seven", 'printf "%s|" "$@"; exit 7'));
  assert.deepEqual([code, out], [7, "a b||*|"]);
  await service.stop();
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} to the launcher stops the service gracefully`, async () => {
    const { service } = await startWithClient(launcher);

    const ended = await service.stop(signal);

    assert.deepEqual(ended, { code: 0, signal: null });
    await isStoppedGracefully(service);
  });

  test(`${signal} to launcher and binary at once stops the service gracefully`, async () => {
    const { service } = await startWithClient(launcher, { detached: true });

    process.kill(-service.child.pid, signal);

    assert.deepEqual(await within("the end", service.ended), { code: 0, signal: null });
    await isStoppedGracefully(service);
  });
}

test("Ctrl+C in a terminal stops the service of npx gracefully", async () => {
  const terminal = join(root, "tests/packages/terminal.py");
  const { service } = await startWithClient(["/usr/bin/env", "python3", terminal, ...npx], { stdio: "pipe" });

  service.child.stdin.write("\x03");

  await isStoppedGracefully(service);
  service.child.stdin.write("\x04");
  await within("the end of the terminal", service.ended);
});

test("a binary that a signal ends, ends the launcher by the same signal", async () => {
  for (const signal of ["KILL", "TERM", "SEGV"]) {
    const ended = await output(folder, launcher, [], script("dies", `ulimit -c 0; kill -s ${signal} $$`));

    assert.deepEqual([ended.code, ended.signal], [null, `SIG${signal}`]);
  }
  // Node ignores SIGPIPE, so this signal cannot end the launcher.
  const pipe = await output(folder, launcher, [], script("pipe", "kill -s PIPE $$"));
  assert.deepEqual([pipe.code, pipe.signal], [128 + 13, null]);
});

test("signals that the binary does not handle end both", async () => {
  for (const name of ["SIGHUP", "SIGQUIT", "SIGABRT", "SIGUSR1", "SIGUSR2"]) {
    const service = await start(["/bin/sh", "-c", 'ulimit -c 0; exec "$0" "$@"', launcher]);

    const { signal } = await service.stop(name);

    assert.equal(signal, name);
    await until("the service ends", async () => !(await answers(service.port)));
  }
});

test("the binary ends with the shell of npm, also where the id of the parent stays after its end, as on Windows", async () => {
  const windows = join(base, "windows.js");
  writeFileSync(windows, 'for (const [name, value] of [["platform", "win32"], ["ppid", process.ppid]]) Object.defineProperty(process, name, { value });');
  for (const variables of [{}, { NODE_OPTIONS: `--require ${windows}` }]) {
    const pid = join(base, "binary.pid");
    const waits = script("waits", `echo $$ > ${pid}; echo ready; exec sleep 1000 >&- 2>&-`);
    // The shell waits for the launcher, and does not pass signals on.
    const shell = new Program("/bin/sh", ["-c", '"$0"; :', launcher], { ...env, ...waits, ...variables, npm_lifecycle_event: "start" });
    services.push(shell);
    await shell.printed(/ready/);

    shell.child.kill("SIGKILL");

    const id = Number(readFileSync(pid, "utf8"));
    await until("the binary ends", () => {
      try {
        return !process.kill(id, 0);
      } catch {
        return true;
      }
    });
  }
});

test("a service that stops already is not stopped at once by the end of the shell of npm", async () => {
  disconnecting = 3000;
  try {
    const shell = ["/bin/sh", "-c", '"$0" "$@"; :', launcher];
    const { service } = await startWithClient(shell, { env: { ...env, PATH: process.env.PATH, npm_lifecycle_event: "start" } });
    const [, pid] = (await output(folder, "/usr/bin/env", ["ps", "-o", "pid=", "--ppid", String(service.child.pid)])).out.match(/(\d+)/);

    process.kill(Number(pid), "SIGTERM");
    await service.printed(/Stopping: clients are closed/);
    // Signals within half a second count as one.
    await new Promise((resolve) => setTimeout(resolve, 700));
    service.child.kill("SIGKILL");

    await isStoppedGracefully(service);
  } finally {
    disconnecting = 1000;
  }
});

test("without the package of this system, the error says what to do", async () => {
  const place = install("alone", "--omit=optional");
  const alone = join(place, "node_modules/.bin/hub-local");

  const missing = await output(place, alone, ["--version"]);

  assert.equal(missing.code, 1);
  const name = `hub-local-${process.platform}-${process.arch}`;
  assert.match(missing.log, new RegExp(`^error: the package ${name}, which holds the binary for this system, is not installed`));
  assert.match(missing.log, /--omit=optional[^]*npm install[^]*HUB_LOCAL_BINARY/);
  assert.equal(missing.out, "");

  writeFileSync(join(place, "other.js"), 'Object.defineProperty(process, "arch", { value: "riscv64" });');
  const other = await output(place, alone, ["--version"], { NODE_OPTIONS: `--require ${join(place, "other.js")}` });
  assert.equal(other.code, 1);
  assert.match(other.log, /no package with a binary for \w+-riscv64, only for darwin-arm64, .*win32-x64\.\nBuild hub-local/);

  const own = await output(place, alone, [], script("own", "echo own"));
  assert.deepEqual([own.code, own.out], [0, "own\n"]);
  const absent = await output(place, alone, [], { HUB_LOCAL_BINARY: "/not/there" });
  assert.equal(absent.code, 1);
  assert.match(absent.log, /^error: cannot run \/not\/there: /);
});

test("the command `new` gets the name of the package", async () => {
  const variable = script("variable", "echo $1 $HUB_LOCAL_PACKAGE");

  assert.equal((await output(folder, launcher, ["new"], variable)).out, "new npm\n");
  assert.equal((await output(folder, launcher, ["start"], variable)).out, "start\n");
});

test("the variables of the launcher cause no warning of the service", async () => {
  const HUB_LOCAL_BINARY = join(folder, `node_modules/hub-local-${process.platform}-${process.arch}/hub-local`);
  const service = new Program(launcher, ["start", "--port", "0"], { ...env, HUB_LOCAL_BINARY }, { cwd: folder });
  await service.printed(/Ctrl\+C stops/);

  await service.stop();

  assert.doesNotMatch(service.log, /is not read/);
});
