// The release binary, which `tests/run` builds for the tests of all packages.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../e2e/lib.js";

export const binary = (() => {
  const options = { cwd: root, maxBuffer: 1 << 26 };
  const metadata = execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps"], options);
  const path = join(JSON.parse(metadata).target_directory, "release/hub-local");
  if (!existsSync(path)) {
    throw new Error(`${path} is missing: cargo build --locked --release -p hub-local --bin hub-local`);
  }
  return path;
})();
