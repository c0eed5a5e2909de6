// Packs the npm packages and installs them in a new folder outside of the checkout, as a user does.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program, root } from "../e2e/lib.js";
import { binary } from "./binary.js";

const host = execFileSync("rustc", ["-vV"], { cwd: root, encoding: "utf8" }).match(/^host: (.*)$/m)[1];

export const version = readFileSync(join(root, "Cargo.toml"), "utf8").match(/^version = "(.*)"$/m)[1];

export const base = mkdtempSync(join(tmpdir(), "hub-local-npm-"));
process.on("exit", () => rmSync(base, { recursive: true, force: true }));

/** The environment of npm: no variables of this machine, no download. */
export const env = { npm_config_offline: "true", npm_config_update_notifier: "false", npm_config_cache: join(base, "cache") };

const { PATH, HOME } = process.env;
const run = (program, args, options) => execFileSync(program, args, { encoding: "utf8", ...options }).trim();
const pack = (...args) => run(join(root, "packages/npm/pack"), args);

/** The packed files: of the command, and of the binary for this system. */
export const packed = {
  command: pack("command", base),
  binary: pack("binary", base, binary, host, "--own-system"),
};

/**
 * A new folder in which `hub-local` is installed. As from the registry, npm installs the binary because it is an optional dependency;
 * the override says only where its file is.
 */
export function install(name, ...options) {
  const folder = join(base, name);
  mkdirSync(folder);
  const dependencies = { "hub-local": `file:${packed.command}` };
  const overrides = { [`hub-local-${process.platform}-${process.arch}`]: `file:${packed.binary}` };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies, overrides }));
  run("npm", ["install", "--no-audit", "--no-fund", ...options], { cwd: folder, env: { PATH, HOME, ...env }, stdio: "pipe" });
  return folder;
}

/** Lets code in a folder import a package of the tests. */
export function link(folder, name, from) {
  const place = join(folder, "node_modules", name);
  mkdirSync(join(place, ".."), { recursive: true });
  symlinkSync(join(root, "tests", from, "node_modules", name), place);
}

/** Runs a program in a folder to its end. */
export async function output(folder, program, args, variables = {}) {
  const started = new Program(program, args, { ...env, ...variables }, { cwd: folder });
  const { code, signal } = await started.ended;
  return { code, signal, out: started.out, log: started.log };
}

/** A program that takes the place of the binary. */
export function script(name, text) {
  const path = join(base, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return { HUB_LOCAL_BINARY: path };
}

/** Writes the files that the README of the package shows. Their names are in the first line. */
export function writeExamples(folder) {
  const readme = readFileSync(join(root, "packages/npm/README.md"), "utf8");
  const files = [...readme.matchAll(/^```js\n\/\/ (\S+\.js)\n(.*?)^```$/gms)];
  files.forEach(([, name, text]) => writeFileSync(join(folder, name), text));
  writeFileSync(join(folder, "package.json"), readFileSync(join(folder, "package.json"), "utf8").replace("{", '{\n"type": "module",'));
  return files.map(([, name]) => name);
}
