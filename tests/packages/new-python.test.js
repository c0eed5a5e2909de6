// `hub-local new --lang python`: the app is installed, tested, started and used, with the wheel.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Program } from "../e2e/lib.js";
import { found, run, setUp, start, stops, talk, write } from "./new.js";
import { buildWheel } from "./python.js";

setUp();

test("the tests of a new Python app pass, and two users talk on its page", { timeout: 300_000 }, async () => {
  const folder = await write("my-app", "python", buildWheel());
  const python = join(folder, ".venv/bin/python");

  await run(folder, found("python3"), ["-m", "venv", ".venv"]);
  await run(folder, python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", ".[dev]"]);
  const tested = await run(folder, join(folder, ".venv/bin/pytest"), []);

  assert.match(tested, /3 passed/);
  const app = await start(folder, python, ["-m", "app"]);
  await talk(app);
  await stops(app);

  // As in its image.
  await run(folder, python, ["-m", "pip", "uninstall", "--quiet", "--disable-pip-version-check", "-y", "hub-local"]);
  const alone = new Program(python, ["-m", "app"], { PORT: "0" }, { cwd: folder });
  assert.equal((await alone.ended).code, 1);
  assert.match(alone.log, /set AzureSignalRConnectionString; without it, the app needs/);
});
