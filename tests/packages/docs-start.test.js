// The page "Start in five minutes", docs/start.md: its commands and its changes, in apps that `hub-local new` has written.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect, root, until } from "../e2e/lib.js";
import { binary } from "./binary.js";
import { base, found, run, setUp, start, stops, write, writeRust } from "./new.js";
import { buildWheel } from "./python.js";

setUp();

/** The lines of the first block of the page below a sentence. */
function below(sentence) {
  const [, rest] = readFileSync(join(root, "docs/start.md"), "utf8").split(`\n${sentence}`);
  assert.ok(rest, `docs/start.md has no line that begins with: ${sentence}`);
  return rest.split(/^```.*\n/m)[1].trimEnd().split("\n");
}

/** The commands that the page has for a language: without the first, which enters the folder, and the last, which starts the app. */
function commands(sentence) {
  const [enter, ...others] = below(sentence);
  assert.equal(enter, "cd my-app");
  const [last] = others.splice(-1);
  return { others: others.map((line) => line.match(/"[^"]*"|\S+/g).map((word) => word.replaceAll('"', ""))), last };
}

/** Replaces a text of a file, which must be there once. */
function change(file, from, to) {
  const parts = readFileSync(file, "utf8").split(from);
  assert.equal(parts.length, 2, `${file}: ${from}`);
  writeFileSync(file, parts.join(to));
}

/** Calls the method that the page adds. */
async function shout(app) {
  const ada = await connect(`${app.url}/chat?user=ada`, { listen: ["said"] });
  assert.equal(await ada.invoke("shout", "hi"), 2);
  await until("the message arrives", () => ada.got("said").length);
  assert.deepEqual(ada.got("said"), [[{ user: "ada", text: "HI" }]]);
  await ada.stop();
  await stops(app);
}

/** The files that the commands of the page make for an app in Node. */
async function packed() {
  const [, row] = readFileSync(join(root, "docs/start.md"), "utf8").match(/^\| Node \| (`packages.*)$/m);
  const commands = row.match(/(?<=`)packages[^`]*/g);
  assert.equal(commands.length, 2, row);
  const [, host] = (await run(root, found("rustc"), ["-vV"])).match(/^host: (.*)$/m);
  const values = { DIR: base, TARGET: host, "target/release/hub-local": binary };
  const paths = [];
  for (const command of commands) {
    const [name, ...args] = command.split(" ").map((word) => values[word] ?? word);
    paths.push((await run(root, join(root, name), args)).trim());
  }
  return paths;
}

test("the steps for Node", { timeout: 300_000 }, async () => {
  const folder = await write("start-node", "node", ...(await packed()));
  const { others, last } = commands("In Node:");
  assert.deepEqual(others, [["npm", "install"], ["npm", "test"]]);
  assert.equal(last, "npm start");
  await run(folder, found("npm"), ["install", "--no-audit", "--no-fund", "--prefer-offline"]);

  const method = below("In Node, add this to `methods`:").join("\n");
  change(join(folder, "src/hub.js"), "export const methods = {\n", `export const methods = {\n${method}\n`);
  assert.match(await run(folder, found("npm"), ["test"]), /# fail 0/);
  await shout(await start(folder, process.execPath, ["src/main.js"]));
});

test("the steps for Python", { timeout: 300_000 }, async () => {
  const folder = await write("start-python", "python", buildWheel());
  const { others, last } = commands("In Python:");
  const [[python, ...venv], [pip, ...install], pytest] = others;
  assert.equal(last, ".venv/bin/python -m app");
  await run(folder, found(python), venv);
  await run(folder, join(folder, pip), [...install, "--quiet", "--disable-pip-version-check"]);

  const sentence = "In Python, add this below `say`, and change the last line to `";
  const [, list] = readFileSync(join(root, "docs/start.md"), "utf8").match(/change the last line to `([^`]*)`/);
  const hub = join(folder, "app/hub.py");
  change(hub, "\n\n\n# The methods", `\n\n\n${below(sentence).join("\n")}\n\n\n# The methods`);
  change(hub, 'METHODS = {"say": say}', list);
  assert.match(await run(folder, join(folder, pytest[0]), []), /3 passed/);
  await shout(await start(folder, join(folder, ".venv/bin/python"), ["-m", "app"]));
});

test("the steps for Rust are those that the command prints, and its change builds", { timeout: 900_000 }, async () => {
  const printed = await run(base, "hub-local", ["new", "start-rust", "--lang", "rust"]);

  const { others, last } = commands("In Rust (");
  assert.deepEqual(printed.match(/^ {2}cargo .*$/gm), [...others.map((words) => `  ${words.join(" ")}`), `  ${last}`]);

  const { folder, cargo, app } = await writeRust("start-rust-changed");
  const method = below("The hub is `src/hub.rs` in Rust").map((line) => `    ${line}`);
  const say = "        Ok(ctx.clients().group(LOBBY).said(&message).await?)\n    }\n";
  change(join(folder, "src/hub.rs"), say, `${say}\n${method.join("\n")}\n`);
  await cargo("fmt", "--check");
  await cargo("build");
  await shout(await start(folder, app, []));
});
