// The container image: the last stage of the Dockerfile, built with the release binary of this machine.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { cleanUp, connect, until } from "../e2e/lib.js";
import { binary } from "./binary.js";
import { Container, IMAGE, buildImage, removeAll, succeed } from "./podman.js";

const KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
const HARDENED = ["--network", "none", "--read-only", "--cap-drop", "all"];
const skip = process.platform === "linux" ? false : "the image was NOT tested: its containers run on Linux only";
const folder = mkdtempSync(join(tmpdir(), "hub-local-settings-"));

before(() => skip || buildImage(binary));

after(async () => {
  await cleanUp();
  rmSync(folder, { recursive: true });
  if (!skip) {
    removeAll();
  }
});

test("the image has the binary and the certificates, a numeric user and a health check", { skip }, () => {
  const [{ Config: config, Healthcheck: health }] = JSON.parse(succeed("inspect", IMAGE));
  assert.equal(config.User, "65532:65532");
  assert.deepEqual([config.Entrypoint, config.Cmd], [["/hub-local"], ["start"]]);
  assert.deepEqual(health.Test, ["CMD", "/hub-local", "health"]);
  assert.deepEqual(config.ExposedPorts, { "8888/tcp": {} });
  assert.equal(config.WorkingDir, "/config");

  succeed("create", "--name", "content", IMAGE);
  const archive = join(folder, "content.tar");
  succeed("export", "--output", archive, "content");
  const names = execFileSync("tar", ["--list", "--file", archive], { encoding: "utf8" }).trim().split("\n");
  const files = names.filter((name) => !name.endsWith("/"));
  assert.deepEqual(files.sort(), ["etc/ssl/certs/ca-certificates.crt", "hub-local"]);
});

test("the service runs as this user without capabilities and with a read-only root, and SIGTERM is its success", { skip }, async () => {
  const service = new Container(HARDENED, []);
  const output = await service.started();
  assert.match(output, /Endpoint=http:\/\/localhost;Port=8888;/);

  const process1 = service.process();
  assert.deepEqual([process1.user, process1.group, process1.capabilities], [65532, 65532, 0n]);

  succeed("stop", "--time", "20", service.name);
  assert.equal(service.inspect(".State.ExitCode"), 0);
});

test("the health check finds the port in the arguments and in the variable", { skip }, async () => {
  for (const [options, args, port] of [
    [[], [], 8888],
    [["--env", "HUB_LOCAL_PORT=9998"], [], 9998],
    [["--env", "HUB_LOCAL_PORT=9998"], ["-p", "9997"], 9997],
    [[], ["start", "--ip", "127.0.0.1", "--port", "9996"], 9996],
  ]) {
    const service = new Container([...HARDENED, ...options], args);
    await service.started();

    assert.deepEqual(service.check(), { code: 0, text: `http://127.0.0.1:${port} accepts requests` });
  }
});

test("a service that stands still is not healthy", { skip }, async () => {
  const service = new Container(HARDENED, []);
  await service.started();
  succeed("kill", "--signal", "STOP", service.name);

  const { code, text } = service.check();
  assert.equal(code, 1);
  assert.match(text, /^error: http:\/\/127\.0\.0\.1:8888 does not respond within 3 s; check that/);

  succeed("kill", "--signal", "CONT", service.name);
  assert.equal(service.check().code, 0);
});

test("the health check says that it cannot find a free port", { skip }, async () => {
  const service = new Container(HARDENED, ["--port", "0"]);
  await service.started();

  const { code, text } = service.check();

  assert.equal(code, 1);
  assert.match(text, /its port is 0; use `--url`/);
});

test("a settings file that the user of the image cannot read is an error", { skip }, async () => {
  const unreadable = mkdtempSync(join(folder, "unreadable-")); // only its owner can read it
  const service = new Container([...HARDENED, "--volume", `${unreadable}:/emulator:ro`], []);

  await until("the service ends", () => service.inspect(".State.Status") === "exited");

  assert.equal(service.inspect(".State.ExitCode"), 1);
  assert.match(service.output, /\/emulator\/settings\.json: cannot read the settings: Permission denied/);
});

test("settings file, options and variables of the emulator's image work, and events reach the app", { skip }, async () => {
  const called = [];
  const app = createServer((request, response) => {
    request.resume();
    called.push(`${request.url} ${request.headers["x-asrs-event"]}`);
    response.end();
  }).listen(0, "127.0.0.1");
  await once(app, "listening");
  const url = `http://127.0.0.1:${app.address().port}/{hub}`;
  const settings = { UpstreamSettings: { Templates: [{ UrlTemplate: url, HubPattern: "*", EventPattern: "*", CategoryPattern: "*" }] } };
  writeFileSync(join(folder, "settings.json"), JSON.stringify(settings));
  chmodSync(folder, 0o755); // the user of the container is another one

  for (const [options, args] of [
    [["--volume", `${folder}:/emulator:ro`], []],
    [["--volume", `${folder}:/elsewhere:ro`], ["-c", "/elsewhere"]],
    [["--env", `UpstreamSettings__Templates__0__UrlTemplate=${url}`], []],
  ]) {
    called.length = 0;
    const service = new Container(["--network", "host", "--read-only", ...options], [...args, "-p", "0", "-i", "127.0.0.1"]);
    const [, port] = (await service.started()).match(/Port=(\d+);/);

    const client = await connect(`http://127.0.0.1:${port}/client/?hub=chat`, { token: token(`http://localhost:${port}/client/?hub=chat`) });
    await client.stop();
    // Before the next call of podman, which blocks this process and so the app.
    await until("the app has all events", () => called.length === 2);
    succeed("stop", "--time", "20", service.name);

    assert.deepEqual(called, ["/chat connected", "/chat disconnected"], args.join(" "));
  }
  app.close();
  app.closeAllConnections();
});

function token(audience) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { aud: audience, exp: Math.floor(Date.now() / 1000) + 600 };
  const unsigned = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${unsigned}.${createHmac("sha256", KEY).update(unsigned).digest("base64url")}`;
}
