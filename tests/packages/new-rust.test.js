// `hub-local new --lang rust`: the app is formatted, built, tested, started and used, against this checkout.

import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { program, root } from "../e2e/lib.js";
import { found, run, setUp, start, stops, talk, write } from "./new.js";

setUp();

test("a new Rust app passes the checks of its CI file, and two users talk on its page", { timeout: 900_000 }, async () => {
  const folder = await write("my-app", "rust", root);
  const cargo = (...args) => run(folder, found("cargo"), args, env);
  // The versions of the workspace and, as far as the features are the same, its compiled crates.
  copyFileSync(join(root, "Cargo.lock"), join(folder, "Cargo.lock"));
  const target = dirname(dirname(program("hub-local")));
  const env = { CARGO_TARGET_DIR: target, CARGO_PROFILE_DEV_DEBUG: "line-tables-only" };

  await cargo("fmt", "--check");
  await cargo("clippy", "--all-targets", "--", "-D", "warnings");
  const tested = await cargo("test");
  await cargo("build");

  assert.match(tested, /test result: ok\. 3 passed/);
  const app = await start(folder, join(target, "debug/my-app"), []);
  await talk(app);
  await stops(app);
});
