// The client in the pages of the examples and of new apps is the published one.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { root } from "./lib.js";

const page = `${root}/examples/page/files`;
const template = `${root}/hub-local/templates/page`;
const published = `${root}/tests/e2e/node_modules/@microsoft/signalr`;

test("signalr.min.js equals the file of the npm package", () => {
  const theirs = readFileSync(`${published}/dist/browser/signalr.min.js`);

  assert.ok(theirs.length > 0);
  for (const folder of [page, template]) {
    const ours = readFileSync(`${folder}/signalr.min.js`);
    assert.ok(ours.equals(theirs), `copy dist/browser/signalr.min.js from the package to ${folder}`);
  }
});

test("version and licence are in the same folder", () => {
  const { version, license } = JSON.parse(readFileSync(`${published}/package.json`, "utf8"));

  assert.equal(readFileSync(`${page}/signalr.min.js.version`, "utf8").trim(), version);
  assert.equal(license, "MIT");
  const licences = [page, template].map((folder) => readFileSync(`${folder}/signalr.min.js.LICENSE.txt`, "utf8"));
  assert.match(licences[0], /The MIT License/);
  assert.equal(licences[1], licences[0]);
});
