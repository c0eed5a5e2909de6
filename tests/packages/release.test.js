// The archives of a release, and what is checked before one.

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { root } from "../e2e/lib.js";
import { binary } from "./binary.js";
import { named } from "./crates.js";

const folder = mkdtempSync(join(tmpdir(), "release-"));
after(() => rmSync(folder, { recursive: true }));

const workflow = readFileSync(join(root, ".github/workflows/release.yml"), "utf8");
const targets = [...workflow.matchAll(/\{ target: (\S+), runner: \S+ \}/g)].map(([, name]) => name);

/** The URL and the path in the archive that `cargo binstall hub-local` uses for a target. */
function download(target) {
  const { metadata, repository, version } = named("hub-local");
  const { overrides, ...common } = metadata.binstall;
  const rules = { ...common, ...overrides[target] };
  const values = {
    repo: repository,
    version,
    target,
    bin: "hub-local",
    "archive-suffix": { tgz: ".tar.gz", zip: ".zip" }[rules["pkg-fmt"]],
    "binary-ext": target.includes("windows") ? ".exe" : "",
  };
  const render = (template) =>
    template.replace(/\{ ?([a-z-]+) ?\}/g, (_, name) => values[name] ?? assert.fail(`unknown value ${name} in ${template}`));
  return { url: render(rules["pkg-url"]), program: render(rules["bin-dir"]) };
}

test("cargo binstall finds the archive of each target, and the program in it", () => {
  assert.equal(targets.length, 5, `${targets}`);
  assert.match(workflow, /python packages\/archive\.py \$\{\{ matrix\.target \}\}\n/);
  const { repository, version } = named("hub-local");
  for (const target of targets) {
    const packing = ["packages/archive.py", target, "--binary", binary, "--out", folder];
    const archive = execFileSync("python3", packing, { cwd: root, encoding: "utf8" }).trim();
    const { url, program } = download(target);
    const name = archive.slice(folder.length + 1);
    assert.equal(url, `${repository}/releases/download/v${version}/${name}`);

    execFileSync("python3", ["-m", name.endsWith(".zip") ? "zipfile" : "tarfile", "-e", archive, folder]);
    assert.deepEqual(readFileSync(join(folder, program)), readFileSync(binary), program);
    for (const text of ["README.md", "LICENSE-APACHE", "LICENSE-MIT"]) {
      assert.ok(readFileSync(join(folder, `hub-local-${target}`, text)).length > 0, text);
    }
    if (!target.includes("windows")) {
      const said = execFileSync(join(folder, program), ["--version"], { encoding: "utf8" });
      assert.equal(said, `hub-local ${version}\n`);
    }
  }
});

test("a missing binary is an error with the command that builds it", () => {
  const target = "x86_64-unknown-none";
  const { status, stderr } = spawnSync("packages/archive.py", [target, "--out", folder], { cwd: root, encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /there is no file .*: build it with `cargo build --release -p hub-local --target x86_64-unknown-none`/);
});

test("a tag without the version of Cargo.toml or without a dated section of CHANGELOG.md is not released", () => {
  const checkout = join(folder, "checkout");
  mkdirSync(join(checkout, "packages"), { recursive: true });
  cpSync(join(root, "packages/check-tag.py"), join(checkout, "packages/check-tag.py"));
  cpSync(join(root, "Cargo.toml"), join(checkout, "Cargo.toml"));
  const { version } = named("hub-local");

  const errors = (tag, ...sections) => {
    writeFileSync(join(checkout, "CHANGELOG.md"), ["# Changelog", "## [Unreleased]", ...sections].join("\n\n"));
    const { status, stderr } = spawnSync("packages/check-tag.py", [tag], { cwd: checkout, encoding: "utf8" });
    assert.equal(status, stderr ? 1 : 0, stderr);
    return stderr.trimEnd().split("\n").filter(Boolean);
  };

  assert.deepEqual(errors(`v${version}`, `## [${version}] - 2026-12-01`, "## [0.0.1] - 2026-01-01"), []);
  assert.deepEqual(errors("v9.9.9", `## [${version}] - 2026-12-01`), [
    `error: the tag is v9.9.9, but Cargo.toml has the version ${version}: tag v${version}, or change the version`,
  ]);
  const section = `\`## [${version}] - YYYY-MM-DD\``;
  const missing = `error: the first release in CHANGELOG.md is not ${version}: add the section ${section}`;
  assert.deepEqual(errors(`v${version}`), [missing]);
  assert.deepEqual(errors(`v${version}`, "## [0.0.1] - 2026-01-01", `## [${version}] - 2026-12-01`), [missing]);
  assert.deepEqual(errors(`v${version}`, `## [${version}]`), [
    `error: the section ${version} of CHANGELOG.md has no date: ${section}`,
  ]);
});
