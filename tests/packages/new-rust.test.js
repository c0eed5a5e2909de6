// `hub-local new --lang rust`: the app is formatted, built, tested, started and used, against this checkout.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setUp, start, stops, talk, writeRust } from "./new.js";

setUp();

test("a new Rust app passes the checks of its CI file, and two users talk on its page", { timeout: 900_000 }, async () => {
  const { folder, cargo, app: path } = await writeRust("my-app");

  await cargo("fmt", "--check");
  await cargo("clippy", "--all-targets", "--", "-D", "warnings");
  const tested = await cargo("test");
  await cargo("build");

  assert.match(tested, /test result: ok\. 3 passed/);
  const app = await start(folder, path, []);
  await talk(app);
  await stops(app);
});
