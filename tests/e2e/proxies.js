// Starts the proxies of docs/proxies.md with the lines of that page.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { root, until } from "./lib.js";

/** The code block below a heading of the page. */
function lines(heading) {
  const page = readFileSync(`${root}/docs/proxies.md`, "utf8");
  const [, section] = page.split(`\n## ${heading}\n`);
  const block = section?.split("\n## ")[0].match(/```\w+\n([^]*?)```/);
  if (!block) {
    throw new Error(`docs/proxies.md has no code block below "## ${heading}"`);
  }
  return block[1];
}

/** Replaces each pattern, and fails if one is not in the text. */
export function edit(text, ...changes) {
  return changes.reduce((changed, [from, to]) => {
    const next = changed.replaceAll(from, to);
    if (next === changed) {
      throw new Error(`the lines of docs/proxies.md do not contain ${from}`);
    }
    return next;
  }, text);
}

/** For each proxy: its heading, its command, and the rest of its configuration around the lines of the page. */
const proxies = {
  nginx: {
    command: ["nginx", "-c", "main.conf", "-p", "."],
    version: ["nginx", "-v"],
    files: (text, port) => ({
      "main.conf": `daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${name};`).join(" ")}
  include page.conf;
}`,
      "page.conf": edit(text, ["listen 80;", `listen 127.0.0.1:${port};`]),
    }),
  },
  HAProxy: {
    command: ["haproxy", "-db", "-f", "page.cfg"],
    version: ["haproxy", "-v"],
    files: (text, port) => ({ "page.cfg": edit(text, ["bind :80", `bind 127.0.0.1:${port}`]) }),
  },
  Caddy: {
    command: ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
    version: ["caddy", "version"],
    files: (text, port, version) => {
      const known = /^v?2\.[0-6]\./.test(version) ? text.replace(/^.*# from 2\.7$/gm, "") : text;
      const site = edit(known, [/^app\.example \{/gm, `http://:${port} {\n    bind 127.0.0.1`]);
      return { Caddyfile: `{\n    admin off\n}\n${site}` };
    },
  },
};

export const names = Object.keys(proxies);

// Debian installs nginx and HAProxy here, which is not in the PATH of every user.
const PATH = `${process.env.PATH}:/usr/sbin`;

async function output([command, ...args]) {
  const child = spawn(command, args, { env: { PATH, HOME: tmpdir() }, stdio: ["ignore", "pipe", "pipe"] });
  const parts = [];
  [child.stdout, child.stderr].forEach((stream) => stream.on("data", (bytes) => parts.push(bytes)));
  await Promise.race([once(child, "close"), once(child, "error").then(([error]) => Promise.reject(error))]);
  return Buffer.concat(parts).toString();
}

const running = new Set();

/** Stops all proxies. */
export const stopProxies = () => running.forEach((kill) => kill());
process.on("exit", stopProxies);

/**
 * Starts a proxy with the lines of the page, changed by `change`, on `port`. The page has the app on port 7071 and
 * the service on port 8888.
 */
export async function startRealProxy(name, { port, app, service, change = (text) => text }) {
  const { command, version, files } = proxies[name];
  const folder = mkdtempSync(`${tmpdir()}/hub-proxy-`);
  const text = edit(change(lines(name)), ["127.0.0.1:7071", `127.0.0.1:${app}`], ["127.0.0.1:8888", `127.0.0.1:${service}`]);
  for (const [file, content] of Object.entries(files(text, port, (await output(version)).trim()))) {
    writeFileSync(`${folder}/${file}`, content);
  }
  // The output is not stored for the search for secrets: logs of proxies contain whole URLs.
  const child = spawn(command[0], command.slice(1), {
    cwd: folder,
    env: { PATH, HOME: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const proxy = { log: "" };
  const append = (text) => void (proxy.log += text);
  [child.stdout, child.stderr].forEach((stream) => stream.setEncoding("utf8").on("data", append));
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve(append(`${error}`)));
    child.on("exit", resolve);
  });
  const kill = () => {
    running.delete(kill);
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  running.add(kill);
  let lives = true;
  ended.then(() => (lives = false));
  await until(`${name} listens`, async () => {
    if (!lives) {
      throw new Error(`${name} did not start with the lines of docs/proxies.md:\n${proxy.log}\n${text}`);
    }
    const socket = connect(port, "127.0.0.1");
    const listens = await Promise.race([once(socket, "connect").then(() => true), once(socket, "close").then(() => false)])
      .catch(() => false);
    socket.destroy();
    return listens;
  });
  return proxy;
}

