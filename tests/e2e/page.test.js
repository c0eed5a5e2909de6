// The client in the example pages is the published one.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { root } from "./lib.js";

const page = `${root}/examples/page/files`;
const published = `${root}/tests/e2e/node_modules/@microsoft/signalr`;

test("signalr.min.js equals the file of the npm package", () => {
  const ours = readFileSync(`${page}/signalr.min.js`);
  const theirs = readFileSync(`${published}/dist/browser/signalr.min.js`);

  assert.ok(theirs.length > 0);
  assert.ok(ours.equals(theirs), "copy dist/browser/signalr.min.js from the package");
});

test("version and licence are in the same folder", () => {
  const { version, license } = JSON.parse(readFileSync(`${published}/package.json`, "utf8"));

  assert.equal(readFileSync(`${page}/signalr.min.js.version`, "utf8").trim(), version);
  assert.equal(license, "MIT");
  assert.match(readFileSync(`${page}/signalr.min.js.LICENSE.txt`, "utf8"), /The MIT License/);
});
