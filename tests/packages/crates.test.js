// The crates as the registry gets them: they build, have the files that belong to them, and an app can depend on them.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cleanUp, connect, root, startExample, until } from "../e2e/lib.js";
import { cargo, crates, named, target } from "./crates.js";

const folder = mkdtempSync(join(tmpdir(), "crates-"));
// A new folder for each run: cargo keeps the packed crates that it has read from a folder, and what it has built of them,
// also after they have changed.
mkdirSync(target, { recursive: true });
const built = mkdtempSync(join(target, "packed-"));
const { repository, homepage, rust_version: minimum } = named("hub-runtime");
/** The categories in use. Each is in the list of crates.io (https://crates.io/category_slugs), which refuses others at the publication. */
const CATEGORIES = [
  "asynchronous",
  "command-line-utilities",
  "development-tools",
  "development-tools::testing",
  "network-programming",
  "web-programming",
  "web-programming::http-server",
  "web-programming::websocket",
];

/** The packed form of a crate. */
const archive = ({ name, version }) => join(built, `package/${name}-${version}.crate`);

/** The folder with the files of a packed crate. */
const unpacked = ({ name, version }) => join(folder, `${name}-${version}`);

const read = (file) => readFileSync(file, "utf8");

/** The fenced blocks of a language in a text. */
const blocks = (text, language) =>
  text.split("```").filter((_, at) => at % 2).filter((block) => block.startsWith(`${language}\n`))
    .map((block) => block.slice(language.length + 1));

before(() => {
  // Compiles each crate from its packed form, against the packed forms of the others.
  cargo(["package", "--locked", "--allow-dirty", "--target-dir", built, ...crates.flatMap(({ name }) => ["--package", name])]);
  for (const crate of crates) {
    execFileSync("tar", ["-xzf", archive(crate), "-C", folder]);
  }
});

after(async () => {
  await cleanUp();
  [folder, built].forEach((it) => rmSync(it, { recursive: true }));
});

test("the published crates are those of the documents", () => {
  const names = ["hub-core", "hub-load", "hub-local", "hub-macros", "hub-net", "hub-runtime"];
  assert.deepEqual(crates.map(({ name }) => name).sort(), names);
});

test("a packed crate has its sources, texts and licences, and no other files", () => {
  const common = /^(Cargo\.(lock|toml|toml\.orig)|\.cargo_vcs_info\.json|README\.md|LICENSE-(APACHE|MIT))$/;
  const source = /^src\/.*\.(rs|md|snap|jwt|json|pem|bicep|html|d\.ts|ts|js|Dockerfile|dockerignore)$/;
  const page = /^(inspector\/.*\.(js|css|html|svg|js\.gz|LICENSE\.txt|version)|templates\/.*)$/;
  for (const crate of crates) {
    const files = readdirSync(unpacked(crate), { recursive: true }).filter((it) => statSync(join(unpacked(crate), it)).isFile());
    for (const file of files) {
      const belongs = common.test(file) || source.test(file) || (crate.name === "hub-local" && page.test(file));
      assert.ok(belongs, `${crate.name}: ${file} is packed`);
      const { size } = statSync(join(unpacked(crate), file));
      assert.ok(size < 128 * 1024, `${crate.name}: ${file} has ${size} bytes`);
    }
    for (const text of ["LICENSE-APACHE", "LICENSE-MIT"]) {
      assert.equal(read(join(unpacked(crate), text)), read(join(root, text)), `${crate.name}: ${text}`);
    }
    assert.ok(files.includes("README.md"), `${crate.name} has no README.md`);
    const { size } = statSync(archive(crate));
    assert.ok(size < 512 * 1024, `${crate.name} has ${size} bytes`);
  }
});

test("the texts of the registry are complete", () => {
  for (const crate of crates) {
    assert.ok(crate.description.length > 40 && crate.description.endsWith("."), crate.name);
    assert.equal(crate.license, "MIT OR Apache-2.0", crate.name);
    assert.equal(crate.documentation, `https://docs.rs/${crate.name}`, crate.name);
    assert.deepEqual([crate.repository, crate.homepage, crate.rust_version], [repository, homepage, minimum], crate.name);
    // The rules of crates.io.
    assert.ok(crate.keywords.length > 1 && crate.keywords.length <= 5, crate.name);
    assert.ok(crate.keywords.every((word) => /^[a-z][a-z0-9_-]{0,19}$/.test(word)), `${crate.keywords}`);
    assert.ok(crate.categories.length > 0 && crate.categories.length <= 5, crate.name);
    assert.deepEqual(crate.categories.filter((it) => !CATEGORIES.includes(it)), [], crate.name);
  }
});

test("the minimum Rust version is the same in all documents and in the compiler of the tests", () => {
  assert.match(read(join(root, "rust-toolchain.toml")), new RegExp(`channel = "${minimum}\\.0"`));
  for (const readme of [join(root, "README.md"), ...crates.map((it) => join(unpacked(it), "README.md"))]) {
    const named = read(readme).match(/[Rr]ust (\d+\.\d+)/)?.[1];
    assert.equal(named, minimum, readme);
  }
});

test("the links of a packed README do not depend on its place", () => {
  for (const crate of crates) {
    const text = read(join(unpacked(crate), "README.md")).replace(/```[^]*?```|`[^`\n]*`/g, "");
    for (const [, link] of text.matchAll(/\]\(([^()\s]+)\)/g)) {
      assert.match(link, /^(https:\/\/|#)/, crate.name);
      const file = link.match(`^${repository}/(?:blob|raw|tree)/main/([^#]+)`)?.[1];
      assert.ok(!file || existsSync(join(root, file)), `${crate.name}: ${link}`);
    }
  }
});

test("an app with the dependencies of the README runs the hub of the README", async () => {
  const readme = read(join(unpacked(named("hub-runtime")), "README.md"));
  const [hub] = blocks(readme, "rust,no_run");
  assert.equal(hub, blocks(read(join(root, "README.md")), "rust,no_run")[0], "the hubs of the READMEs differ");

  const app = join(folder, "app");
  mkdirSync(join(app, "src"), { recursive: true });
  writeFileSync(join(app, "src/main.rs"), hub);
  const patches = crates.map((it) => `${it.name} = { path = "${unpacked(it)}" }`).join("\n");
  writeFileSync(
    join(app, "Cargo.toml"),
    `[package]\nname = "app-of-the-readme"\nedition = "2024"\n\n${blocks(readme, "toml")[0]}\n[patch.crates-io]\n${patches}\n`,
  );
  // The same versions of other crates, which are downloaded already.
  cpSync(join(root, "Cargo.lock"), join(app, "Cargo.lock"));
  cargo(["build", "--offline", "--target-dir", built], app);

  const { url } = await startExample(join(built, "debug/app-of-the-readme"));
  const [ada, bob] = [await connect(`${url}/echo`), await connect(`${url}/echo`, { listen: ["said"] })];
  assert.equal(await ada.invoke("echo", "hi"), 2);
  await until("the other client gets the text", () => bob.got("said").length);
  assert.deepEqual(bob.got("said"), [["hi"]]);
});
