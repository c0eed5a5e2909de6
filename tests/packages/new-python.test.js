// `hub-local new --lang python`: the app is installed, tested, started and used, with the wheel.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Program } from "../e2e/lib.js";
import { found, run, setUp, start, stops, talk, write } from "./new.js";
import { buildWheel } from "./python.js";

setUp();

/** Requests whose bodies have no certain end, and the statuses that end their connections. */
const UNCERTAIN = {
  "Transfer-Encoding: chunked": 411,
  "Transfer-Encoding : chunked": 400,
  "Content-Length: abc": 400,
  "Content-Length: -1": 400,
  "Content-Length: 0\r\nContent-Length: 1": 400,
  "Content-Length: 2000001": 413,
};

/** Settings that end an app, and what it then prints. */
const WRONG = {
  PORT: ["99999", /^PORT must be a number from 0 to 65535\n$/],
  HOST: ["192.0.2.1", /^cannot listen at HOST 192\.0\.2\.1, PORT 0: .*\n$/],
  LOG_LEVEL: ["loud", /^LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR\n$/],
  HUB_LOCAL_PORT: ["x", /^HUB_LOCAL_PORT must be a number from 0 to 65535\n$/],
  AzureSignalRConnectionString: ["Endpoint=a.service.signalr.net;AccessKey=secret", /^the Endpoint of AzureSignalRConnectionString must start with https:\/\/ or http:\/\/\n$/],
};

/** All that the app sends until it closes the connection. */
async function sent(app, request) {
  const socket = connect(Number(new URL(app.url).port), "127.0.0.1", () => socket.write(request));
  socket.setTimeout(10_000, () => socket.destroy(new Error("the connection is open after 10 s")));
  return (await socket.setEncoding("latin1").toArray()).join("");
}

async function refusesUncertainRequests(app) {
  for (const [headers, status] of Object.entries(UNCERTAIN)) {
    for (const method of ["GET", "POST"]) {
      const text = await sent(app, `${method} / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\nGET /app.css HTTP/1.1\r\n\r\n`);
      assert.deepEqual(text.match(/^HTTP\S+ \d+/gm), [`HTTP/1.1 ${status}`], `${method} ${headers}\n${text}`);
    }
  }
}

async function refusesWrongSettings(folder, python) {
  for (const [name, [value, expected]] of Object.entries(WRONG)) {
    const app = new Program(python, ["-m", "app"], { PORT: "0", [name]: value }, { cwd: folder });
    assert.equal((await app.ended).code, 1, name);
    assert.match(app.log, expected);
  }
}

/** The service calls the app, which listens on IPv6 only. */
async function listensOnIPv6(folder, python) {
  const settings = { PORT: "0", HOST: "::1", HUB_LOCAL_INSPECTOR: "off", LOG_LEVEL: "debug" };
  const app = new Program(python, ["-m", "app"], settings, { cwd: folder });
  const [, url] = await app.printed(/App {6}(http:\/\/\[::1\]:\d+)\n/);
  assert.doesNotMatch(app.out, /Inspect/);
  await talk({ url });
  assert.equal((await app.stop("SIGTERM")).code, 0, app.log);
}

test("the tests of a new Python app pass, and two users talk on its page", { timeout: 300_000 }, async () => {
  const folder = await write("my-app", "python", buildWheel());
  const python = join(folder, ".venv/bin/python");

  await run(folder, found("python3"), ["-m", "venv", ".venv"]);
  await run(folder, python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", ".[dev]"]);
  const tested = await run(folder, join(folder, ".venv/bin/pytest"), []);

  assert.match(tested, /3 passed/);
  const app = await start(folder, python, ["-m", "app"]);
  await talk(app);
  await refusesUncertainRequests(app);
  const second = new Program(python, ["-m", "app"], { PORT: new URL(app.url).port }, { cwd: folder });
  assert.equal((await second.ended).code, 1);
  assert.match(second.log, /^cannot listen at HOST 127\.0\.0\.1, PORT \d+: .*; set another PORT\n$/);
  await stops(app);
  await refusesWrongSettings(folder, python);
  await listensOnIPv6(folder, python);

  // As in its image.
  await run(folder, python, ["-m", "pip", "uninstall", "--quiet", "--disable-pip-version-check", "-y", "hub-local"]);
  const alone = new Program(python, ["-m", "app"], { PORT: "0" }, { cwd: folder });
  assert.equal((await alone.ended).code, 1);
  assert.match(alone.log, /set AzureSignalRConnectionString; without it, the app needs/);
});
