// `hub-local new --lang node`: the app is installed, tested, started and used, with the packed npm packages.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Program } from "../e2e/lib.js";
import { found, run, setUp, start, stops, talk, write } from "./new.js";
import { packed } from "./npm.js";

setUp();

test("the tests of a new Node app pass, and two users talk on its page", { timeout: 300_000 }, async () => {
  const folder = await write("my-app", "node", packed.command, packed.binary);

  await run(folder, found("npm"), ["install", "--no-audit", "--no-fund", "--prefer-offline"]);
  const tested = await run(folder, found("npm"), ["test"]);

  assert.match(tested, /# pass 3\n# fail 0/);
  const app = await start(folder, process.execPath, ["src/main.js"]);
  await talk(app);
  await stops(app);

  // As in its image.
  rmSync(join(folder, "node_modules/hub-local"), { recursive: true });
  const alone = new Program(process.execPath, ["src/main.js"], { PORT: "0" }, { cwd: folder });
  assert.equal((await alone.ended).code, 1);
  assert.match(alone.log, /set AzureSignalRConnectionString; without it, the app needs/);
});
