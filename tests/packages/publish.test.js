// The steps of a release in RELEASING.md that change the version and publish.

import { execFile, execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { json } from "node:stream/consumers";
import { promisify } from "node:util";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { root } from "../e2e/lib.js";
import { cargo, crates } from "./crates.js";

const folder = mkdtempSync(join(tmpdir(), "publish-"));
after(() => rmSync(folder, { recursive: true }));

const steps = readFileSync(join(root, "RELEASING.md"), "utf8");

/** Runs packages/publish.py to its end. */
function publish(args, variables) {
  const env = { ...process.env, ...variables };
  return promisify(execFile)(join(root, "packages/publish.py"), args, { env }).then(
    ({ stdout }) => ({ code: 0, out: stdout, log: "" }),
    ({ code, stdout, stderr }) => ({ code, out: stdout, log: stderr }),
  );
}

test("the commands that set the version leave no manifest and no lock file behind", () => {
  const checkout = join(folder, "checkout");
  const isNeeded = (path) =>
    statSync(path).isDirectory()
      ? !/^(\.git|\.venv|node_modules|target)$/.test(basename(path))
      : /^Cargo\.(toml|lock)$|^rust-toolchain\.toml$|\.rs$/.test(basename(path));
  mkdirSync(checkout);
  for (const name of readdirSync(root).filter((name) => isNeeded(join(root, name)))) {
    cpSync(join(root, name), join(checkout, name), { recursive: true, filter: isNeeded });
  }
  const commands = steps.match(/```sh\n( *perl [^]*?)```/)[1].replace("0.2.0", "99.0.0");

  execFileSync("bash", ["-ec", commands], { cwd: checkout, env: { ...process.env, CARGO_NET_OFFLINE: "true" }, stdio: "pipe" });

  for (const manifest of ["Cargo.toml", "fuzz/Cargo.toml"]) {
    const described = cargo(["metadata", "--format-version", "1", "--locked", "--offline", "--manifest-path", manifest], checkout);
    const versions = JSON.parse(described).packages.filter(({ name }) => crates.some((it) => it.name === name)).map(({ version }) => version);
    assert.ok(versions.length >= 5 && versions.every((it) => it === "99.0.0"), `${manifest}: ${versions}`);
  }
});

test("the crates that crates.io has are not published again", async () => {
  // A cargo whose registry has the first crate, and refuses or accepts the others.
  const bin = join(folder, "bin");
  const calls = join(folder, "calls");
  const real = execFileSync("sh", ["-c", "command -v cargo"], { encoding: "utf8" }).trim();
  mkdirSync(bin);
  const fake = (answers) => {
    writeFileSync(join(bin, "cargo"), `#!/bin/sh\ncase "$*" in\nmetadata*) exec "${real}" "$@" ;;\n${answers}\nesac\n`);
    chmodSync(join(bin, "cargo"), 0o755);
    writeFileSync(calls, "");
    return publish(["crates"], { PATH: `${bin}:${process.env.PATH}` });
  };
  const unknown = 'info*) echo "error: could not find it in registry" >&2; exit 101 ;;';
  const [first, ...others] = crates;
  const has = (crate) => `*crates-io\\ ${crate.name}@${crate.version}) echo "version: ${crate.version}" ;;`;
  const accept = `publish*) echo "$*" >"${calls}" ;;`;

  const some = await fake(`${has(first)}\n${unknown}\n${accept}`);
  assert.equal(some.code, 0, some.log);
  assert.equal(readFileSync(calls, "utf8"), `publish --locked --no-verify ${others.map(({ name }) => `--package ${name}`).join(" ")}\n`);

  const all = await fake(`info*) echo version ;;\n${accept}`);
  assert.deepEqual([all.code, readFileSync(calls, "utf8")], [0, ""]);

  const refused = await fake(`${unknown}\npublish*) echo "status 429" >&2; exit 101 ;;`);
  assert.equal(refused.code, 1);
  assert.match(refused.log, /status 429\nerror: cargo ended with status 101\. To publish what is missing, run this command again\./);

  const offline = await fake(`info*) echo "error: no network" >&2; exit 101 ;;\n${accept}`);
  assert.deepEqual([offline.code, readFileSync(calls, "utf8")], [1, ""]);
  assert.match(offline.log, /cargo cannot look up \S+ \S+:\nerror: no network/);
});

test("a publication to npm that stopped is continued, with hub-local last", async () => {
  const files = join(folder, "npm");
  mkdirSync(files);
  const names = ["hub-local", "hub-local-darwin-x64", "hub-local-linux-x64"];
  for (const name of names) {
    const content = join(folder, "content", name, "package");
    mkdirSync(content, { recursive: true });
    writeFileSync(join(content, "package.json"), JSON.stringify({ name, version: "1.2.3" }));
    execFileSync("tar", ["-czf", join(files, `${name}-1.2.3.tgz`), "-C", join(content, ".."), "package"]);
  }

  // A registry that knows the documents it has got, and refuses some names.
  const documents = new Map();
  let refused = "hub-local-linux-x64";
  const registry = createServer(async (request, response) => {
    const name = decodeURIComponent(request.url.slice(1).split("?")[0]);
    const respond = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (request.method === "GET") {
      return documents.has(name) ? respond(200, documents.get(name)) : respond(404, { error: "Not found" });
    }
    const document = await json(request);
    if (name === refused) return respond(403, { error: "refused" });
    assert.ok(!documents.has(name), `${name} is published twice`);
    documents.set(name, document);
    return respond(201, { ok: true });
  });
  await new Promise((resolve) => registry.listen(0, "127.0.0.1", resolve));
  after(() => registry.close());
  const place = `127.0.0.1:${registry.address().port}`;
  const settings = join(folder, "npmrc");
  writeFileSync(settings, `registry=http://${place}/\n//${place}/:_authToken=token\nfetch-retries=0\nupdate-notifier=false\n`);
  const variables = { npm_config_userconfig: settings, npm_config_cache: join(folder, "cache"), npm_config_fetch_timeout: "10000" };

  const stopped = await publish(["npm", files], variables);
  assert.equal(stopped.code, 1);
  assert.match(stopped.log, /npm ended with status 1\. To publish what is missing, run this command again\./);
  assert.deepEqual([...documents.keys()], ["hub-local-darwin-x64"]);

  refused = "";
  const continued = await publish(["npm", files], variables);
  assert.equal(continued.code, 0, continued.log);
  assert.match(continued.out, /^hub-local-darwin-x64 1\.2\.3 is published already$/m);
  assert.deepEqual([...documents.keys()], ["hub-local-darwin-x64", "hub-local-linux-x64", "hub-local"]);

  const again = await publish(["npm", files], variables);
  assert.equal(again.code, 0, again.log);
});

test("each registry has an environment of its own, so that its job is approved alone", () => {
  const workflow = readFileSync(join(root, ".github/workflows/release.yml"), "utf8");
  const environments = [...workflow.matchAll(/^    environment: (\S+)$/gm)].map(([, name]) => name);
  assert.deepEqual(environments.sort(), ["crates-io", "npm", "pypi"]);
  for (const name of environments) {
    assert.ok(steps.includes(`environment \`${name}\``), `RELEASING.md has a trusted publisher for ${name}`);
  }
});
