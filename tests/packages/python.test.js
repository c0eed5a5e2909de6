// The wheel: `uvx hub-local`, `hub-local` and `python -m hub_local`, its module and its fixtures, in new environments.

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Program, cleanUp, root, until } from "../e2e/lib.js";
import { addPytest, base, buildWheel, files, install, output, run, tool, writeExamples } from "./python.js";

const version = readFileSync(join(root, "Cargo.toml"), "utf8").match(/^version = "(.*)"$/m)[1];

let wheel;
let environment;
let python;

before(() => {
  wheel = buildWheel();
  environment = install("environment", wheel);
  python = join(environment, "bin/python");
});

after(cleanUp);

const answers = (port) => fetch(`http://127.0.0.1:${port}/api/health`).then((response) => response.ok, () => false);

/** Starts the service and waits until it accepts connections. */
async function start(program, args) {
  const service = new Program(program, [...args, "start", "--port", "0"]);
  const [, port] = await service.printed(/Port=(\d+);/);
  await service.printed(/Ctrl\+C stops/);
  service.port = Number(port);
  return service;
}

/** A program that takes the place of the binary. */
function script(name, text) {
  const path = join(base, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("the wheel has the module, the binary, the licences and nothing else, and needs no other package", () => {
  const names = JSON.parse(run(python, ["-c", "import json, sys, zipfile; print(json.dumps(zipfile.ZipFile(sys.argv[1]).namelist()))", wheel]));
  const info = `hub_local-${version}.dist-info`;
  assert.deepEqual(names.sort(), [
    `hub_local-${version}.data/scripts/hub-local`,
    ...["METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE-APACHE", "licenses/LICENSE-MIT"].map((name) => `${info}/${name}`),
    ...["__init__", "__main__", "_binary", "_errors", "_options", "_output", "_service"].map((name) => `hub_local/${name}.py`),
    "hub_local/py.typed",
    "hub_local/pytest_plugin.py",
  ].sort());

  const metadata = readFileSync(join(environment, "lib", run(python, ["-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]).trim(), "site-packages", info, "METADATA"), "utf8");
  assert.match(metadata, /^Requires-Python: >=3\.10$/m);
  assert.match(metadata, /^License-Expression: MIT OR Apache-2\.0$/m);
  assert.doesNotMatch(metadata, /^Requires-Dist/m);
  assert.match(metadata, /^# hub-local$/m);
  assert.match(wheel, new RegExp(`/hub_local-${version.replaceAll(".", "\\.")}-py3-none-\\w+\\.whl$`));
});

test("the binary of the wheel has no symbols, and neither has that of a release", { skip: process.platform !== "linux" && "nm lists symbols of another form" }, () => {
  assert.equal(run("nm", [join(environment, "bin/hub-local")]), "");
  const workflow = readFileSync(join(root, ".github/workflows/release.yml"), "utf8");
  assert.match(workflow, /^ +maturin build --release --strip --target "\$TARGET"/m);
});

test("the command, the module and uvx run the binary of this version", async () => {
  for (const [program, args] of [
    [join(environment, "bin/hub-local"), []],
    [python, ["-m", "hub_local"]],
    [tool("uvx"), ["--python", python, "--from", wheel, "hub-local"]],
  ]) {
    const { code, out, log } = await output(program, [...args, "--version"]);
    assert.deepEqual([code, out], [0, `hub-local ${version}\n`], log);
  }
});

test("exit codes and arguments are those of the binary", async () => {
  const wrong = await output(python, ["-m", "hub_local", "start", "--prot", "1"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.log, /--port/);

  const HUB_LOCAL_BINARY = script("seven", 'printf "%s|" "$@"; exit 7');
  const { code, out } = await output(python, ["-m", "hub_local", "a b", "", "*"], { HUB_LOCAL_BINARY });
  assert.deepEqual([code, out], [7, "a b||*|"]);
});

test("the command `new` of the module gets the name of the package", async () => {
  const HUB_LOCAL_BINARY = script("variable", "echo $1 $HUB_LOCAL_PACKAGE");

  assert.equal((await output(python, ["-m", "hub_local", "new"], { HUB_LOCAL_BINARY })).out, "new pypi\n");
  assert.equal((await output(python, ["-m", "hub_local", "start"], { HUB_LOCAL_BINARY })).out, "start\n");
});

test("SIGTERM and SIGINT stop the service of the module and of uvx, and leave no process", async () => {
  for (const [program, args] of [
    [python, ["-m", "hub_local"]],
    ["/usr/bin/env", ["UV_OFFLINE=1", `UV_CACHE_DIR=${join(base, "cache")}`, tool("uvx"), "--python", python, "--from", wheel, "hub-local"]],
  ]) {
    for (const signal of ["SIGTERM", "SIGINT"]) {
      const service = await start(program, args);
      assert.ok(await answers(service.port));

      const ended = await service.stop(signal);

      assert.deepEqual(ended, { code: 0, signal: null }, `${args} ${signal}`);
      await until("the service ends", async () => !(await answers(service.port)));
    }
  }
});

test("a missing binary is an error that says where it was looked for and what to do", async () => {
  const place = join(environment, "bin/hub-local");
  renameSync(place, `${place}.moved`);
  try {
    const { code, log } = await output(python, ["-m", "hub_local", "--version"]);
    assert.equal(code, 1);
    assert.match(log, /^error: the binary of hub-local was not found in\n/);
    assert.ok(log.includes(`\n  ${place}\n`), log);
    assert.match(log, /pip install --force-reinstall hub-local.*HUB_LOCAL_BINARY/);
  } finally {
    renameSync(`${place}.moved`, place);
  }
  const { code, log } = await output(python, ["-m", "hub_local", "--version"], { HUB_LOCAL_BINARY: "/not/there" });
  assert.deepEqual([code, log], [1, "error: /not/there cannot be run: No such file or directory\n"]);
});

test("the binary is found, and selects the language of new apps, with --target, with --user and by an environment that sees the packages of another", async () => {
  const find = "from hub_local import find_binary; print(find_binary())";

  const target = join(base, "target folder");
  run(join(environment, "bin/pip"), ["install", "--quiet", "--no-index", "--target", target, wheel]);
  const bare = join(base, "bare");
  run("python3", ["-m", "venv", bare]);
  const inTarget = await output(join(bare, "bin/python"), ["-c", find], { PYTHONPATH: target });
  assert.equal(inTarget.out, `${join(target, "bin/hub-local")}\n`, inTarget.log);

  const home = join(base, "home");
  mkdirSync(home);
  const user = { HOME: home, PIP_BREAK_SYSTEM_PACKAGES: "1", PYTHONUSERBASE: join(home, ".local") };
  const installed = await output("python3", ["-m", "pip", "install", "--quiet", "--no-index", "--user", wheel], user);
  assert.equal(installed.code, 0, installed.log);
  const ofUser = await output("python3", ["-c", find], user);
  assert.equal(ofUser.out, `${join(home, ".local/bin/hub-local")}\n`, ofUser.log);

  // The commands themselves know their package, too.
  for (const [place, name] of [[join(target, "bin"), "app-of-target"], [join(home, ".local/bin"), "app-of-user"]]) {
    const written = await output(join(place, "hub-local"), ["new", name]);
    assert.match(written.out, /^Created an app in Python with /, written.log);
  }

  const packages = run(python, ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).trim();
  const ofOther = await output(join(bare, "bin/python"), ["-c", find], { PYTHONPATH: packages });
  assert.equal(ofOther.out, `${join(environment, "bin/hub-local")}\n`, ofOther.log);
});

test("the module starts services, and the example of the README passes", async () => {
  addPytest(environment);
  const folder = join(base, "example");
  mkdirSync(folder);
  assert.deepEqual(writeExamples(folder), ["test_chat.py", "start.py"]);

  const example = await output(join(environment, "bin/pytest"), ["-q", "--strict-config", "-W", "error", "test_chat.py"], { cwd: folder });
  assert.match(example.out, /^1 passed/m, example.out + example.log);
  const started = await output(python, ["start.py"], { cwd: folder });
  assert.match(started.out, /^http:\/\/127\.0\.0\.1:\d+\n$/, started.log);

  const module = await output(join(environment, "bin/pytest"), ["-q", "-W", "error", "-p", "no:cacheprovider", join(files, "test_service.py")]);
  assert.match(module.out, /^\d+ passed/m, module.out + module.log);
  assert.doesNotMatch(module.out, /failed|skipped|error/);
});

test("each test has a service of its own, and hub_local_scope widens the scope", async () => {
  const folder = join(base, "scopes");
  mkdirSync(folder);
  writeFileSync(
    join(folder, "test_scopes.py"),
    `import pytest
SEEN = []
@pytest.fixture(scope="session")
def hub_local_options():
    return {"key": "a-key-of-this-test"}
def test_first(hub_local):
    SEEN.append(hub_local.port)
    assert "AccessKey=a-key-of-this-test;" in hub_local.connection_string
def test_second(hub_local):
    print("same" if hub_local.port in SEEN else "other")
`,
  );
  const pytest = (...args) => output(join(environment, "bin/pytest"), ["-q", "-s", ...args], { cwd: folder });

  assert.match((await pytest()).out, /other/);
  assert.match((await pytest("-o", "hub_local_scope=session")).out, /same/);
  const wrong = await pytest("-o", "hub_local_scope=world");
  assert.equal(wrong.code, 4);
  assert.match(wrong.out + wrong.log, /^ERROR: hub_local_scope must be one of session, package, module, class, function, not 'world'\s*$/);
});

test("no service outlives a pytest that is killed", async () => {
  const folder = join(base, "killed");
  mkdirSync(folder);
  writeFileSync(join(folder, "test_sleep.py"), "import time\ndef test_sleep(hub_local):\n    print('port', hub_local.port, flush=True)\n    time.sleep(600)\n");
  const pytest = new Program(join(environment, "bin/pytest"), ["-q", "-s", join(folder, "test_sleep.py")]);
  const [, port] = await pytest.printed(/port (\d+)/);
  assert.ok(await answers(port));

  await pytest.stop("SIGKILL");

  await until("the service ends", async () => !(await answers(port)));
});

test("types pass mypy --strict, for the oldest Python and for Windows too", async () => {
  for (const target of [[], ["--python-version", "3.10"], ["--platform", "win32"]]) {
    const mypy = ["--strict", "--cache-dir", join(base, "mypy"), "--python-executable", python, ...target];
    const module = await output(tool("mypy"), [...mypy, "--package", "hub_local"]);
    assert.equal(module.code, 0, module.out + module.log);
    const app = await output(tool("mypy"), [...mypy, join(files, "typed.py")]);
    assert.equal(app.code, 0, app.out + app.log);
  }
});
