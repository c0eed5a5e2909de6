// The load tool against its hub: every scenario over each transport and protocol, with all messages
// compared.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Program, cleanUp, freePort, within } from "./lib.js";

const KEY = "a-key-for-load-and-hub-0123456789-abcdef";

describe("the load tool", () => {
  let site;

  before(async () => {
    const [PORT, HUB_LOCAL_PORT] = [String(await freePort()), String(await freePort())];
    const hub = new Program("bench-hub", [], { PORT, HUB_LOCAL_PORT, HUB_LOCAL_KEY: KEY });
    await hub.printed(new RegExp(`127\\.0\\.0\\.1:${PORT}\\b`));
    const service = `Endpoint=http://127.0.0.1;Port=${HUB_LOCAL_PORT};AccessKey=${KEY};Version=1.0;`;
    site = { url: `http://127.0.0.1:${PORT}/bench`, service };
  });

  after(cleanUp);

  /** The report of a run of one second. */
  async function load(...options) {
    const load = new Program("hub-local", [
      ...["load", site.url, "--json", "--check", "--seconds", "1", "--warm-up", "0", "--clients", "5"],
      ...options,
    ]);
    assert.equal((await within("it ends", load.ended)).code, 0, load.log);
    return JSON.parse(load.out);
  }

  for (const scenario of ["echo", "broadcast", "group", "idle"]) {
    for (const transport of ["websockets", "sse", "longpolling"]) {
      for (const protocol of transport === "sse" ? ["json"] : ["json", "messagepack"]) {
        test(`${scenario} over ${transport} in ${protocol}: every message once and unchanged`, async () => {
          const report = await load("--scenario", scenario, "--transport", transport, "--protocol", protocol);

          assert.deepEqual(
            [report.scenario, report.transport, report.protocol, report.clients],
            [scenario, transport, protocol, 5],
          );
          assert.deepEqual([report.lost, report.duplicated, report.errors, report.errorTexts], [0, 0, 0, []]);
          assert.ok(report.connectsPerSecond > 0);
          assert.equal(report.messages > 0, scenario !== "idle", JSON.stringify(report));
        });
      }
    }
  }

  for (const scenario of ["broadcast", "group"]) {
    test(`${scenario} driven by REST calls, in both protocols`, async () => {
      for (const protocol of ["json", "messagepack"]) {
        const report = await load("--scenario", scenario, "--protocol", protocol, "--connection-string", site.service);

        assert.deepEqual([report.lost, report.duplicated, report.errors, report.errorTexts], [0, 0, 0, []]);
        assert.ok(report.messages > 0);
      }
    });
  }

  test("clients that do not read do not delay other clients", async () => {
    const report = await load("--scenario", "broadcast", "--slow", "20", "--rate", "50");

    assert.deepEqual([report.clients, report.slow], [5, 1]);
    assert.deepEqual([report.lost, report.duplicated, report.errors], [0, 0, 0]);
    // Four reading clients at the given rate. A slow machine can be below the rate, never above.
    assert.ok(report.messages > 0 && report.messages <= 4 * 52, JSON.stringify(report));
  });

  test("the readable table has the same content", async () => {
    const load = new Program("hub-local", ["load", site.url, "--clients", "2", "--seconds", "1"]);
    assert.equal((await within("it ends", load.ended)).code, 0, load.log);

    for (const row of ["scenario", "transport", "protocol", "clients", "connects/s", "messages/s", "p50", "p90", "p99", "max", "lost", "duplicated", "errors"]) {
      assert.match(load.out, new RegExp(`^${row} +[^ ]`, "m"));
    }
    assert.match(load.log, /connected 2 of 2\n.* messages\/s/s);
  });
});
