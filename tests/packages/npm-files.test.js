// What the npm packages contain, the types, and the examples of the README.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { root } from "../e2e/lib.js";
import { install, link, output, packed, version, writeExamples } from "./npm.js";

let folder;
const system = `${process.platform}-${process.arch}`;

before(() => {
  folder = install("files");
});

const listed = (file) => execFileSync("tar", ["tzf", file], { encoding: "utf8" }).trim().split("\n").sort();
const manifest = (name) => JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8"));

test("the packages contain these files only, and no package runs a script at installation", () => {
  const common = ["package/LICENSE-APACHE", "package/LICENSE-MIT", "package/README.md", "package/package.json"];
  const command = ["binary.js", "index.d.ts", "index.js", "launch.js"].map((name) => `package/${name}`);

  assert.deepEqual(listed(packed.command), [...common, ...command].sort());
  assert.deepEqual(listed(packed.binary), [...common, "package/hub-local"].sort());
  const sizes = [packed.command, packed.binary].map((file) => statSync(file).size);
  console.log(`packed: command ${(sizes[0] / 1024).toFixed(1)} KiB, binary ${(sizes[1] / 2 ** 20).toFixed(2)} MiB`);
  assert.ok(sizes[0] < 24 * 1024 && sizes[1] < 8 * 2 ** 20, String(sizes));
  for (const name of ["hub-local", `hub-local-${system}`]) {
    assert.equal(manifest(name).scripts, undefined);
    assert.equal(manifest(name).dependencies, undefined);
  }
});

test("the binaries are optional dependencies of the same version for five systems", () => {
  const systems = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "win32-x64"];

  const command = manifest("hub-local");
  const binary = manifest(`hub-local-${system}`);

  assert.equal(command.version, version);
  const expected = Object.fromEntries(systems.map((name) => [`hub-local-${name}`, version]));
  assert.deepEqual(command.optionalDependencies, expected);
  assert.deepEqual([binary.version, binary.os, binary.cpu], [version, [process.platform], [process.arch]]);
  // The binaries of releases for Linux contain their C library, so they run with any.
  assert.equal(binary.libc, undefined);
});

test("only targets of a release can be packed", async () => {
  const pack = join(root, "packages/npm/pack");
  for (const [args, part] of [
    [["binary", folder, process.execPath, "riscv64gc-unknown-linux-gnu"], /no package for the target riscv64gc.*; the packages are for/],
    [["binary", folder, process.execPath, "x86_64-unknown-freebsd"], /no package for the target x86_64-unknown-freebsd/],
    [["binary", folder, process.execPath, "x86_64-unknown-linux-gnu"], /one C library only: use the target x86_64-unknown-linux-musl/],
    [["binary", folder, process.execPath, "x86_64-unknown-linux-musl", "--own"], /usage: /],
    [["binary", folder, "/not/there", "x86_64-unknown-linux-musl"], /\/not\/there does not exist: build it/],
    [["binary", folder], /usage: /],
    [[], /usage: /],
  ]) {
    const { code, log } = await output(folder, pack, args);
    assert.equal(code, 2);
    assert.match(log, part);
  }
});

test("the types compile in strict mode with each way to find modules", async () => {
  const used = `
    const local = await startHubLocal({ upstream: { chat: "http://127.0.0.1:1" }, port: 0, key: "k", args: ["--strict"], env: { A: undefined }, timeout: 1, log: "off" });
    const texts: [string, number, string, string | null] = [local.url, local.port, local.connectionString, local.inspector];
    const stopped: Promise<void> = local.stop();
    await using again: HubLocal = await startHubLocal({ upstream: "http://127.0.0.1:1" } satisfies HubLocalOptions);
    // @ts-expect-error an unknown option
    await startHubLocal({ upstreams: "http://127.0.0.1:1" });
    // @ts-expect-error a wrong type
    await startHubLocal({ port: "0" });
    // @ts-expect-error a result cannot be changed
    local.url = "";
    export { texts, stopped, again };
  `;
  const imported = 'import { startHubLocal, type HubLocal, type HubLocalOptions } from "hub-local";';
  const required = 'import hub = require("hub-local");\nconst { startHubLocal } = hub;\ntype HubLocal = hub.HubLocal;\ntype HubLocalOptions = hub.HubLocalOptions;';
  writeFileSync(join(folder, "used.mts"), imported + used);
  writeFileSync(join(folder, "used.cts"), `${required}\nexport async function run() {\n${used.replace(/export .*/, "return [texts, stopped, again];")}\n}`);
  const tsc = join(root, "tests/e2e/node_modules/typescript/bin/tsc");
  const common = ["--noEmit", "--strict", "--target", "es2022"];

  for (const [files, options] of [
    [["used.mts", "used.cts"], ["--module", "node16", "--moduleResolution", "node16"]],
    [["used.mts"], ["--module", "esnext", "--moduleResolution", "bundler"]],
  ]) {
    const { code, out } = await output(folder, process.execPath, [tsc, ...common, ...options, ...files]);
    assert.equal(code, 0, out);
  }
});

test("the examples of the README pass under node --test and Vitest", async () => {
  assert.deepEqual(writeExamples(folder), ["app.js", "app.test.js", "app.spec.js"]);
  link(folder, "@microsoft/signalr", "e2e");
  link(folder, "vitest", "packages");

  const node = await output(folder, process.execPath, ["--test", "app.test.js"]);
  assert.equal(node.code, 0, node.out + node.log);
  assert.match(node.out, /^# pass 1$/m);
  const vitest = await output(folder, process.execPath, ["node_modules/vitest/vitest.mjs", "run", "app.spec.js"]);
  assert.equal(vitest.code, 0, vitest.out + vitest.log);
  assert.match(vitest.out, /1 passed/);
});
