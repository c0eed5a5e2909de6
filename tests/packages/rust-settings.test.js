// The settings of a new Rust app: wrong ones end it with one line, in which no key is.

import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Program, program, root } from "../e2e/lib.js";
import { found, run, write } from "./new.js";

const target = dirname(dirname(program("hub-local")));
const environment = { CARGO_TARGET_DIR: target, CARGO_PROFILE_DEV_DEBUG: "line-tables-only" };

test("wrong settings of a new Rust app are named in one line without their text", { timeout: 900_000 }, async () => {
  const folder = await write("settings-app", "rust", root);
  copyFileSync(join(root, "Cargo.lock"), join(folder, "Cargo.lock"));
  await run(folder, found("cargo"), ["build"], environment);
  const settings = readFileSync(join(folder, ".env"), "utf8");
  const ended = async (text, variables = {}) => {
    writeFileSync(join(folder, ".env"), text);
    const app = new Program(join(target, "debug/settings-app"), [], variables, { cwd: folder });
    const [code] = await once(app.child, "close");
    return { code, text: app.out + app.log };
  };
  const number = settings.split("\n").length;
  const key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0";
  const line = `AzureSignalRConnectionString=Endpoint=https://x.service.signalr.net;AccessKey=${key}; Version=1.0;`;

  for (const [before, wrong, place] of [
    [settings, `${line}\n`, `line ${number}`],
    [settings, `${line} # ours\n`, `line ${number}`],
    [settings, `KEY="${key}\nX=1\n`, `line ${number}`],
    ["\ufeff", `${line}\n`, "line 1"],
  ]) {
    const expected = `error: .env: ${place} cannot be read; put values with spaces in quotes\n`;
    assert.deepEqual(await ended(before + wrong), { code: 1, text: expected });
  }
  const log = await ended(settings, { RUST_LOG: "info,hub_runtime=loud" });
  assert.equal(log.code, 1);
  assert.match(log.text, /^error: RUST_LOG cannot be read: .+\n$/);
  // The line of the file is accepted with its quotes: the runtime, not the file, is at fault.
  const commented = settings.replace(/^# (AzureSignalRConnectionString=)/m, "$1");
  const { code, text } = await ended(commented);
  assert.equal(code, 1);
  assert.match(text, /^error: (?!\.env).+\n$/);
});
