// The crates that are published, and their packed forms.

import { execFileSync } from "node:child_process";
import { root } from "../e2e/lib.js";

/** Line tables, as in the profile of the workspace: less to write and to link. */
const env = { ...process.env, CARGO_PROFILE_DEV_DEBUG: "line-tables-only" };

/** Runs cargo and returns its standard output. The error of a failure contains its standard error. */
export function cargo(args, cwd = root) {
  return execFileSync("cargo", args, { cwd, env, encoding: "utf8", maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "pipe"] });
}

const { packages, target_directory: target } = JSON.parse(
  cargo(["metadata", "--format-version", "1", "--no-deps", "--locked"]),
);
export { target };

/** The published crates, as `cargo metadata` describes them. */
export const crates = packages.filter((it) => it.publish === null);

export const named = (name) => crates.find((it) => it.name === name);
