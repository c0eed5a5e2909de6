// Starts the programs under test and connects the official client to them.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import * as signalR from "@microsoft/signalr";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Timeout of every wait, in milliseconds. */
const DEADLINE = 30_000;

let directory;
/** The path of a program: one of this repository by its name, any other by its path. */
export function program(name) {
  if (isAbsolute(name)) {
    return name;
  }
  directory ??= JSON.parse(
    execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps"], { cwd: root, maxBuffer: 1 << 26 }),
  ).target_directory;
  return `${directory}/debug/${name}`;
}

/** Waits until `check` returns a truthy value, and returns it. */
export async function until(what, check, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  for (;;) {
    const value = await check();
    if (value) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${deadline} ms for: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Adds a timeout to a promise. */
export async function within(what, promise, deadline = DEADLINE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadline} ms for: ${what}`)), deadline);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

const running = new Set();
const connections = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Stops programs and clients that a test left behind, so that a failure does not block other tests. */
export async function cleanUp() {
  await Promise.all([...connections].map((connection) => connection.stop().catch(() => {})));
  running.forEach((child) => child.kill("SIGKILL"));
}

/** Also writes the output of a program to a file, which is searched for secrets later. */
function recorder(name, pid) {
  const folder = process.env.TEST_OUTPUT;
  return (text) => {
    if (folder) {
      appendFileSync(`${folder}/e2e-${name}.${pid}.log`, text);
    }
    return text;
  };
}

/** A running program and its output. */
export class Program {
  out = "";
  log = "";

  constructor(name, args, env, options = {}) {
    // Pass on only a few variables, so that the environment of the tests does not influence the program.
    const { PATH, HOME } = process.env;
    const RUST_LOG = "debug,hyper=info,hyper_util=info";
    this.child = spawn(program(name), args, {
      env: { PATH, HOME, RUST_LOG, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      ...options,
    });
    running.add(this.child);
    const record = recorder(basename(name), this.child.pid);
    this.child.stdout.setEncoding("utf8").on("data", (text) => (this.out += record(text)));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.log += record(text)));
    this.ended = new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.log += String(error);
        resolve(error);
      });
      this.child.on("exit", (code, signal) => resolve({ code, signal }));
    });
    this.ended.then(() => running.delete(this.child));
  }

  get lives() {
    return running.has(this.child);
  }

  /** Waits for a printed line. */
  printed(pattern) {
    return until(`the program prints ${pattern}`, () => {
      const found = this.out.match(pattern);
      if (!found && !this.lives) {
        throw new Error(`the program ended before it printed ${pattern}:\n${this.out}${this.log}`);
      }
      return found;
    });
  }

  /** Waits for a line of the log. */
  logged(pattern) {
    return until(`the log contains ${pattern}`, () => this.log.match(pattern)).catch((error) => {
      throw new Error(`${error.message}\n${this.log.slice(-4000)}`);
    });
  }

  async stop(signal = "SIGTERM") {
    if (this.lives) {
      this.child.kill(signal);
    }
    return within(`the program ends after ${signal}`, this.ended);
  }
}

/** An example on two ports, which stay the same across restarts. */
export async function startExample(name, env = {}) {
  const PORT = env.PORT ?? String(await freePort());
  const HUB_LOCAL_PORT = env.HUB_LOCAL_PORT ?? String(await freePort());
  const example = new Program(name, [], { ...env, PORT, HUB_LOCAL_PORT });
  example.ports = { PORT, HUB_LOCAL_PORT };
  example.url = `http://127.0.0.1:${PORT}`;
  await example.printed(new RegExp(`http://127\\.0\\.0\\.1:${HUB_LOCAL_PORT}\\b`));
  await example.printed(new RegExp(`http://127\\.0\\.0\\.1:${PORT}\\b`));
  return example;
}

export const startChat = (env) => startExample("chat", env);

/** `POST /login`. */
export function logIn(url, user, password = `${user}-demo`) {
  return fetch(`${url}/login`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user, password }),
  });
}

export async function sessionOf(url, user) {
  const answer = await logIn(url, user);
  if (answer.status !== 200) {
    throw new Error(`${user} cannot sign in: ${answer.status} ${await answer.text()}`);
  }
  return (await answer.json()).token;
}

/** A started connection of the official client. `got(name)` lists the received messages, in order. */
export async function connect(hubUrl, { token, on = {}, listen = [], options = {}, protocol } = {}) {
  const builder = new signalR.HubConnectionBuilder()
    .withUrl(hubUrl, { ...(token && { accessTokenFactory: () => token }), ...options })
    .configureLogging(signalR.LogLevel.None);
  const connection = (protocol ? builder.withHubProtocol(protocol) : builder).build();
  const received = Object.fromEntries(listen.map((name) => [name, []]));
  for (const name of listen) {
    connection.on(name, (...args) => void received[name].push(args));
  }
  for (const [name, method] of Object.entries(on)) {
    connection.on(name, method);
  }
  connection.got = (name) => received[name];
  connections.add(connection);
  connection.onclose(() => connections.delete(connection));
  await within("the client connects", connection.start());
  return connection;
}

/** The error text of a rejected promise. */
export async function refusal(promise) {
  let value;
  try {
    value = await within("the call is answered", promise);
  } catch (error) {
    return error.message;
  }
  throw new Error(`expected an error, got ${JSON.stringify(value)}`);
}
