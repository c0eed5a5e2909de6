// Each refusal of a request whose body is still being written is read by the client.
// REFUSALS=400 repeats each case 400 times; the default keeps the run short.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Program, freePort, within } from "./lib.js";

const TIMES = Number(process.env.REFUSALS ?? 10);
const SIZES = [20_000, 900_000, 2_000_000];
const PIECE = 16_384;

const pieces = (size) => Array.from({ length: Math.ceil(size / PIECE) }, () => Buffer.alloc(PIECE, " "));

/** Node's `http.request`; `write` sends the body. */
async function request(url, agent, write) {
  const sent = http.request(url, { method: "POST", agent });
  const responding = once(sent, "response");
  const writing = write(sent);
  const [response] = await responding;
  let text = "";
  for await (const piece of response.setEncoding("utf8")) {
    text += piece;
  }
  await writing;
  return { status: response.statusCode, text };
}

/** Chunks one after the other, as .NET's `HttpClient` sends them. */
async function writePieces(sent, size) {
  for (const piece of pieces(size)) {
    if (!sent.write(piece)) {
      await once(sent, "drain");
    }
  }
  sent.end();
  await once(sent, "finish");
}

const response = async (answer) => ({ status: answer.status, text: await answer.text() });
const stream = (size) => ReadableStream.from(pieces(size));

const clients = {
  "http.request": (url, size, { agent }) =>
    request(url, agent, (sent) => sent.end(Buffer.alloc(size, " "))),
  "http.request in chunks": (url, size, { agent }) => request(url, agent, (sent) => writePieces(sent, size)),
  fetch: async (url, size) => response(await fetch(url, { method: "POST", body: Buffer.alloc(size, " ") })),
  "fetch of a stream": async (url, size) =>
    response(await fetch(url, { method: "POST", body: stream(size), duplex: "half" })),
};

describe("refusals of requests that are still being written", () => {
  let program;
  let folder;
  let routes;

  before(async () => {
    const [PORT, HUB_LOCAL_PORT] = [String(await freePort()), String(await freePort())];
    program = new Program("e2e-transports", [], { PORT, HUB_LOCAL_PORT, RUST_LOG: "warn" });
    await program.printed(new RegExp(`127\\.0\\.0\\.1:${PORT}\\b`));
    folder = mkdtempSync(join(tmpdir(), "refusals-"));
    const [app, service] = [`http://127.0.0.1:${PORT}`, `http://127.0.0.1:${HUB_LOCAL_PORT}`];
    routes = [
      [`${service}/api/hubs/travel/:send`, 401, /Authorization: Bearer/],
      [`${service}/client/negotiate?hub=travel`, 401, /access token/],
      [`${service}/client/?hub=travel&id=x`, 401, /access token/],
      [`${app}/runtime/webhooks/signalr`, 401, /access keys/],
      [`${app}/nothing`, 404, /not found/],
    ];
  });

  after(async () => {
    rmSync(folder, { recursive: true });
    await program.stop("SIGKILL");
  });

  for (const [name, send] of Object.entries(clients)) {
    test(name, async (context) => {
      const agent = new http.Agent({ keepAlive: true });
      context.after(() => agent.destroy());
      for (const [url, status, text] of routes) {
        for (const size of SIZES) {
          for (let time = 0; time < TIMES; time += 1) {
            const answer = await within(`${url} ${size}`, send(url, size, { agent }));
            assert.equal(answer.status, status, url);
            assert.match(answer.text, text, url);
          }
        }
      }
    });
  }

  for (const [name, headers] of [
    ["curl", []],
    ["curl without Expect", ["-H", "Expect:"]],
    ["curl in chunks", ["-H", "Expect:", "-H", "Transfer-Encoding: chunked"]],
  ]) {
    test(name, async () => {
      for (const [url, status, text] of routes) {
        for (const size of SIZES) {
          const body = join(folder, String(size));
          writeFileSync(body, Buffer.alloc(size, " "));
          const each = `${url}${url.includes("?") ? "&" : "?"}n=[1-${TIMES}]`;
          const options = ["-sS", "-X", "POST", ...headers, "--data-binary", `@${body}`];
          const { stdout } = await promisify(execFile)("curl", [...options, "-w", "\n%{http_code}\n", each]);
          const statuses = stdout.match(/^\d{3}$/gm) ?? [];
          assert.deepEqual(statuses, Array(TIMES).fill(String(status)), url);
          assert.equal(stdout.match(new RegExp(text, "g"))?.length, TIMES, stdout.slice(0, 200));
        }
      }
    });
  }
});
