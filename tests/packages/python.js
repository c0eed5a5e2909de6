// Builds the wheel and installs it in new environments outside of the checkout, as a user does.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program, root } from "../e2e/lib.js";
// The release build, of which maturin uses all but the last step again.
import "./binary.js";

export const files = join(root, "tests/packages/python");
export const base = mkdtempSync(join(tmpdir(), "hub-local-python-"));
process.on("exit", () => rmSync(base, { recursive: true, force: true }));

export const run = (program, args, options) => execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });

const venv = join(files, ".venv");
/** A program of the environment with the tools. */
export const tool = (name) => join(venv, "bin", name);

/** Makes the environment with the tools, and the wheel. */
export function buildWheel() {
  if (!existsSync(tool("pip"))) {
    run("python3", ["-m", "venv", "--clear", venv]);
  }
  run(tool("pip"), ["install", "--quiet", "--disable-pip-version-check", "--requirement", join(files, "tools.txt")]);
  const folder = join(base, "wheels");
  // Stripped, as the wheels of a release.
  run(tool("maturin"), ["build", "--release", "--strip", "--out", folder], { cwd: join(root, "packages/python") });
  return join(folder, readdirSync(folder)[0]);
}

/** A new environment with the wheel, without a registry: the wheel needs nothing else. */
export function install(name, wheel) {
  const folder = join(base, name);
  run("python3", ["-m", "venv", folder]);
  run(join(folder, "bin/pip"), ["install", "--quiet", "--disable-pip-version-check", "--no-index", wheel]);
  return folder;
}

/** Adds pytest and what the example imports to an environment. */
export function addPytest(folder) {
  const requirements = join(files, "pytest.txt");
  run(tool("uv"), ["pip", "install", "--quiet", "--python", join(folder, "bin/python"), "--requirement", requirements]);
}

/** Runs a program to its end, without variables of this machine. */
export async function output(program, args, { cwd = base, ...variables } = {}) {
  const started = new Program("/usr/bin/env", ["-C", cwd, program, ...args], { UV_OFFLINE: "1", UV_CACHE_DIR: join(base, "cache"), ...variables });
  const { code, signal } = await started.ended;
  return { code, signal, out: started.out, log: started.log };
}

/** Writes the files that the README of the package shows. Their names are in the first line. */
export function writeExamples(folder) {
  const readme = readFileSync(join(root, "packages/python/README.md"), "utf8");
  const examples = [...readme.matchAll(/^```python\n# (\S+\.py)\n(.*?)^```$/gms)];
  examples.forEach(([, name, text]) => writeFileSync(join(folder, name), text));
  return examples.map(([, name]) => name);
}
