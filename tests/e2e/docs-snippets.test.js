// Runs the blocks of code of the documentation that are no Rust, with other ports: README.md, hub-runtime/src/guide/typescript.md,
// hub-runtime/src/guide/asyncapi.md, docs/inspect.md, docs/several-instances.md, docs/reference/app-commands.md, examples/any-language/README.md and hub-local/README.md.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, test } from "node:test";
import * as signalR from "@microsoft/signalr";
import { Program, cleanUp, connect, freePort, program, root, startExample, until, within } from "./lib.js";
import { errors, folder, run, strict } from "./typed.js";

// The logs of the programs are of no interest here.
const stdio = ["ignore", "pipe", "ignore"];
const AsyncFunction = (async () => {}).constructor;

afterEach(cleanUp);

/** The first block of a page that begins with a text. */
function block(page, start) {
  const found = readFileSync(join(root, page), "utf8")
    .split(/^```.*\n/m)
    .filter((_, at) => at % 2 === 1)
    .find((text) => text.startsWith(start));
  assert.ok(found, `${page} has no block that begins with ${start}`);
  return found;
}

/** A text with other ports. Each must be in it. */
function withPorts(text, ports) {
  return Object.entries(ports).reduce((changed, [from, to]) => {
    assert.ok(changed.includes(from), `no port ${from} in:\n${changed}`);
    return changed.replaceAll(from, to);
  }, text);
}

/** Runs a block of a page with the official client. Returns its `connection`, and the lines that it logged. */
async function runPage(code) {
  const lines = [];
  const console = { log: (...values) => lines.push(values) };
  const body = new AsyncFunction("signalR", "console", `${code}\nreturn connection;`);
  return { connection: await within("the block ends", body(signalR, console)), lines };
}

test("the page of the README calls the hub of the README, and its types are those of the hub", async () => {
  const app = await startExample("readme-app");
  const page = block("README.md", "const connection = new signalR");
  const { connection, lines } = await runPage(withPorts(page, { 7071: app.ports.PORT }));
  const other = await connect(`${app.url}/echo`);

  assert.equal(await other.invoke("echo", "hi"), 2);
  await until("the page shows the text", () => lines.length === 1);
  assert.deepEqual(lines, [["hi"]]);
  await connection.stop();

  const files = folder();
  run(program("readme-app"), ["typescript", join(files, "echo-hub.ts")]);
  check(files, block("README.md", "import { createEchoHub }"));
});

/** Checks a block of TypeScript beside the generated files of a folder. */
function check(files, code, uses = "length") {
  const path = join(files, "page.ts");
  const [imports, ...rest] = code.split("\n");
  const client = `import type { HubConnection } from "${join(root, "tests/e2e/node_modules/@microsoft/signalr")}";`;
  writeFileSync(
    path,
    [imports, client, "declare const connection: HubConnection;", ...rest, `void [${uses}];`].join("\n"),
  );
  // The parameters of the handlers are names for the reader.
  const options = { ...strict, skipLibCheck: true, noUnusedParameters: false };
  assert.deepEqual(errors([path], options), []);
  writeFileSync(path, readFileSync(path, "utf8").replaceAll(/\("hi"\)|"lobby", "hi"/g, "(1)"));
  assert.notDeepEqual(errors([path], options), [], "a wrong argument must be an error");
}

test("the commands of the guide write the files of the chat, and its page compiles", () => {
  const files = mkdtempSync(join(tmpdir(), "docs-"));
  const commands = [
    block("hub-runtime/src/guide/typescript.md", "cargo run -p chat -- typescript"),
    block("hub-runtime/src/guide/asyncapi.md", "cargo run -p chat -- asyncapi"),
  ].join("");
  mkdirSync(join(files, "examples/chat/page"), { recursive: true });
  for (const command of commands.trim().split("\n")) {
    const [, name, args] = command.split("#")[0].match(/^cargo run -p (\S+) -- (.*)$/);
    execFileSync(program(name), args.trim().split(" "), { cwd: files, stdio });
  }

  const written = readFileSync(join(files, "examples/chat/page/chat-hub.ts"), "utf8");
  assert.match(written, /createChatHub/);
  assert.equal(JSON.parse(readFileSync(join(files, "asyncapi.json"), "utf8")).asyncapi, "3.1.0");
  check(
    join(files, "examples/chat/page"),
    block("hub-runtime/src/guide/typescript.md", "import { createChatHub"),
    "length, off",
  );
  rmSync(files, { recursive: true });
});

test("the commands and the page of the example in any language run, with its app in Node", async () => {
  const readme = "examples/any-language/README.md";
  const [port, service] = [await freePort(), await freePort()];
  const [start, setting, node] = withPorts(block(readme, "cargo run -p hub-local"), { 7071: port, 8888: service }).split("\n");
  const [, args] = start.match(/^cargo run -p hub-local -- (.*)$/);
  const local = new Program("hub-local", [...args.split(" "), "--port", `${service}`]);
  const [connectionString] = await local.printed(/Endpoint=\S+;/);
  assert.equal(setting, `export AzureSignalRConnectionString="${connectionString}"`);
  const [, file] = node.match(/^node (\S+)/);
  const app = new Program(process.execPath, [join(root, "examples/any-language", file)], {
    PORT: `${port}`,
    AzureSignalRConnectionString: connectionString,
  });
  await until("the app listens", () => fetch(`http://127.0.0.1:${port}/`).catch(() => false));
  assert.ok(app.lives);

  const page = block(readme, "const connection = new signalR");
  const { connection, lines } = await runPage(withPorts(page, { 7071: port }));

  await until("the page shows both lines", () => lines.length === 2);
  assert.deepEqual(
    lines.sort((left, right) => left.length - right.length),
    [[[1, 2]], ["ada", "hi"]],
  );
  await connection.stop();
});

test("docs/reference/app-commands.md has the help of an app", () => {
  const commands = [[], ["deploy-files"], ["typescript"], ["asyncapi"]];
  const sections = commands.map((command) => {
    const help = execFileSync(program("chat"), [...command, "--help"], { encoding: "utf8", stdio }).trim();
    return `## ${["An app", ...command].at(-1)}\n\n\`\`\`text\n${help}\n\`\`\``;
  });
  const text = `${[
    "# Commands of an app",
    "<!-- Written by `cargo build -p chat && cd tests/e2e && UPDATE_DOCS=1 node --test docs-snippets.test.js`. Do not edit this file. -->",
    "The arguments of a program that calls `HubApp::run`, here the chat. `deploy-files` needs the feature `deploy`, `typescript` and `asyncapi` need `schema`.\n[Settings](../settings.md#arguments) says when the arguments are read.",
    ...sections,
  ].join("\n\n")}\n`;
  const file = join(root, "docs/reference/app-commands.md");
  if (process.env.UPDATE_DOCS) {
    writeFileSync(file, text);
  }
  assert.equal(readFileSync(file, "utf8"), text, "run the command at the top of the page");
});

test("the settings file of hub-local's README is valid", () => {
  const files = folder();
  writeFileSync(join(files, "settings.json"), block("hub-local/README.md", '{ "UpstreamSettings"'));

  const shown = execFileSync(program("hub-local"), ["upstream", "list", "--config", files], {
    encoding: "utf8",
    stdio,
  });

  assert.match(shown, /http:\/\/localhost:7071\/\{hub\}\/api\/\{category\}\/\{event\}/);
  assert.match(shown, /hub chat or news, category messages/);
});

test("the request of the page about the inspector gets events", async () => {
  const TOKEN = "token-of-the-documentation-0123456789";
  const port = await freePort();
  const local = new Program("hub-local", ["start", "--port", `${port}`, "--inspector-token", TOKEN]);
  await local.printed(/Endpoint=/);
  await fetch(`http://127.0.0.1:${port}/client/?hub=chat`, { method: "POST" });

  const command = withPorts(block("docs/inspect.md", "curl -H"), { 8888: port });
  const lines = execFileSync("bash", ["-c", command.replace("curl ", "curl --silent --show-error ")], {
    encoding: "utf8",
    stdio,
    env: { PATH: process.env.PATH, TOKEN },
  });

  assert.match(lines, /no_token|the request has no access token/);
});

test("two instances behind nginx have the clients of both, and one can stop", async () => {
  const page = "docs/several-instances.md";
  const [service, front, first, second] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const [, ...args] = withPorts(block(page, "hub-local start"), { 7071: front }).trim().split(" ");
  const local = new Program("hub-local", [...args, "--port", `${service}`]);
  const [connectionString] = await local.printed(/Endpoint=\S+;/);
  const [setting, ...starts] = block(page, "export AzureSignalRConnectionString").trim().split("\n");
  const given = setting.match(/^export AzureSignalRConnectionString="(.*)"$/)[1];
  assert.equal(withPorts(given, { 8888: service }), connectionString);
  assert.deepEqual(starts, ["PORT=7072 cargo run &", "PORT=7073 cargo run"]);
  const apps = [first, second].map(
    (port) => new Program("readme-app", [], { PORT: `${port}`, AzureSignalRConnectionString: connectionString }),
  );
  await Promise.all(apps.map((app) => app.printed(/http:\/\/127\.0\.0\.1/)));
  const nginx = await startNginx(
    withPorts(block(page, "events {}"), { 7071: front, 7072: first, 7073: second }),
    front,
  );

  const clients = await Promise.all(
    [1, 2, 3, 4].map(() => connect(`http://127.0.0.1:${front}/echo`, { listen: ["said"] })),
  );
  let lost = 0;
  clients.forEach((client) => client.onclose(() => (lost += 1)));
  await Promise.all(clients.map((client) => client.invoke("echo", "all")));
  await until("each client has the messages of the others", () => clients.every((it) => it.got("said").length === 3));
  const called = readFileSync(nginx.access, "utf8");
  assert.ok(
    [first, second].every((port) => called.includes(`:${port} POST`)),
    called,
  );

  await apps[0].stop();
  await clients[0].invoke("echo", "still here");
  await until("the others hear it", () => clients.slice(1).every((it) => it.got("said").length === 4));
  assert.equal(lost, 0);
  nginx.stop();
});

/** Starts nginx with a whole file of a page. */
async function startNginx(text, port) {
  const files = folder();
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${files}/${name};`,
  );
  const all = `daemon off; master_process off; pid ${files}/pid; error_log stderr;\n${text}`;
  const access = join(files, "access.log");
  const log_format = `log_format upstream "$upstream_addr $request_method"; access_log ${access} upstream;`;
  writeFileSync(join(files, "nginx.conf"), all.replace("http {", `http { ${log_format} ${paths.join(" ")}`));
  const env = { PATH: `${process.env.PATH}:/usr/sbin`, HOME: dirname(files) };
  const child = spawn("nginx", ["-c", join(files, "nginx.conf"), "-p", files], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  let log = "";
  child.stderr.on("data", (text) => (log += text));
  await until(`nginx listens: ${log}`, () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    ),
  );
  return { access, stop: () => child.kill("SIGKILL") };
}
