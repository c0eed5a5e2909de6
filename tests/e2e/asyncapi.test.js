// The AsyncAPI document of the chat, read by the parser of the AsyncAPI project.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Parser } from "@asyncapi/parser";
import { program } from "./lib.js";

const files = mkdtempSync(join(tmpdir(), "asyncapi-"));
after(() => rmSync(files, { recursive: true }));

/** Runs the command `asyncapi` of the chat. */
function chat(...args) {
  const { PATH } = process.env;
  const { status, stdout, stderr } = spawnSync(program("chat"), ["asyncapi", ...args], {
    env: { PATH, RUST_LOG: "error" },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

/** The document, and the errors and warnings of the parser about the service. */
async function parsed(text) {
  const { document, diagnostics } = await new Parser().parse(text);
  return { document, errors: diagnostics.filter(({ severity }) => severity === 0).map(({ message }) => message) };
}

describe("the AsyncAPI document", () => {
  test("is accepted by the parser, and a planted fault is found", async () => {
    const path = join(files, "chat.json");
    assert.deepEqual(chat(path), { status: 0, stdout: `Wrote    ${path}\n`, stderr: "" });
    const text = readFileSync(path, "utf8");

    const { document, errors } = await parsed(text);
    assert.deepEqual(errors, []);
    assert.equal(document.version(), "3.1.0");
    const operation = document.operations().get("Chat.sendMessage");
    assert.equal(operation.action(), "receive");
    assert.equal(operation.reply().messages().all()[0].payload().type(), "integer");
    assert.equal(document.operations().get("Chat.client.newMessage").action(), "send");

    for (const [right, wrong] of [
      ['"action": "receive"', '"action": "publish"'],
      ['"type": "integer"', '"type": "whole"'],
      ['"$ref": "#/channels/Chat"', '"$ref": "#/channels/Chats"'],
    ]) {
      assert.notDeepEqual((await parsed(text.replace(right, wrong))).errors, [], wrong);
    }
  });

  test("is compared by --check, which exits with 1 for a stale file", () => {
    const path = join(files, "check.json");
    chat(path);
    assert.deepEqual(chat(path), { status: 0, stdout: `Current  ${path}\n`, stderr: "" });
    assert.deepEqual(chat(path, "--check"), { status: 0, stdout: `Current  ${path}\n`, stderr: "" });

    writeFileSync(path, readFileSync(path, "utf8").replaceAll("sendMessage", "sendText"));
    const stale = chat(path, "--check");
    assert.equal(stale.status, 1);
    assert.match(stale.stdout, /^-.*"target": "sendText"$/m);
    assert.match(stale.stdout, /^\+.*"target": "sendMessage"$/m);
    assert.equal(stale.stderr, `Error: \`${path}\` is not current: run the command without --check\n`);
  });

  test("is not written to a folder, and a wrong argument is refused with the usage", () => {
    assert.deepEqual(chat(files), { status: 1, stdout: "", stderr: `Error: \`${files}\` is a folder: name a file in it\n` });
    const usage = chat("a.json", "--chek");
    assert.equal(usage.status, 2);
    assert.match(usage.stderr, /^error: unexpected argument `--chek`\n\nUsage: chat asyncapi PATH/);
  });
});
