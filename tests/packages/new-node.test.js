// `hub-local new --lang node`: the app is installed, tested, started and used, with the packed npm packages.

import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { Program } from "../e2e/lib.js";
import { found, run, setUp, start, stops, talk, write } from "./new.js";
import { packed } from "./npm.js";

setUp();

/** The status of a request with this path, which is sent as it is. */
async function status(url, path) {
  const { hostname, port } = new URL(url);
  const [response] = await once(get({ hostname, port, path }), "response");
  response.resume();
  return response.statusCode;
}

/** The log of an app that ends at its start. */
async function refused(folder, settings) {
  const app = new Program(process.execPath, ["src/main.js"], { PORT: "0", ...settings }, { cwd: folder });
  assert.equal((await app.ended).code, 1, app.log);
  return app.log;
}

test("the tests of a new Node app pass, and two users talk on its page", { timeout: 300_000 }, async () => {
  const folder = await write("my-app", "node", packed.command, packed.binary);

  await run(folder, found("npm"), ["install", "--no-audit", "--no-fund", "--prefer-offline"]);
  const tested = await run(folder, found("npm"), ["test"]);

  assert.match(tested, /# pass 3\n# fail 0/);
  const app = await start(folder, process.execPath, ["src/main.js"]);
  assert.equal(await status(app.url, "//"), 404);
  assert.equal(await status(app.url, "//["), 404);
  await talk(app);
  assert.match(await refused(folder, { PORT: new URL(app.url).port }), /^error: listen EADDRINUSE.*: set another PORT\n$/);
  await stops(app);

  assert.equal(await refused(folder, { PORT: "abc" }), "error: PORT must be a number from 0 to 65535\n");
  assert.equal(await refused(folder, { HUB_LOCAL_PORT: "65536" }), "error: HUB_LOCAL_PORT must be a number from 0 to 65535\n");
  const withoutScheme = await refused(folder, { AzureSignalRConnectionString: "Endpoint=a.example;AccessKey=secret;" });
  assert.equal(withoutScheme, "error: the Endpoint of AzureSignalRConnectionString must begin with https:// or http://\n");

  // As in its image.
  rmSync(join(folder, "node_modules/hub-local"), { recursive: true });
  assert.match(await refused(folder, {}), /set AzureSignalRConnectionString; without it, the app needs/);
});
