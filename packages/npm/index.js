"use strict";

const { spawn } = require("node:child_process");
const { findBinary } = require("./binary.js");
const { version } = require("./package.json");

/** Time for the start, in milliseconds. */
const START_TIMEOUT = 10_000;
/** Time for the end, in milliseconds: more than the service takes for it with its defaults. */
const STOP_TIMEOUT = 15_000;
/** The longest time of a timer of Node, in milliseconds. */
const MAX_TIMEOUT = 2 ** 31 - 1;
/** The most of the log that is kept for the error of a failed start, in characters. */
const MAX_LOG = 64 * 1024;

const OPTIONS = {
  upstream: (value) => isText(value) || (isTextMap(value) && hasValues(value)) || "a URL, or an object with a URL for each hub and at least one",
  port: (value) => (Number.isInteger(value) && value >= 0 && value <= 65535) || "a number from 0 to 65535",
  key: (value) => isText(value) || "a string without NUL",
  args: (value) => (Array.isArray(value) && value.every(isText)) || "an array of strings without NUL",
  env: (value) => isTextMap(value) || "an object of strings without NUL",
  timeout: (value) => (typeof value === "number" && value > 0 && value <= MAX_TIMEOUT) || `a number of milliseconds above 0 and up to ${MAX_TIMEOUT}`,
  log: (value) => isText(value) || "a string without NUL",
};

/** Arguments and variables of a process end at NUL. The error of `spawn` for it contains the value, which may be secret. */
function isText(value) {
  return typeof value === "string" && !value.includes("\0");
}

function isTextMap(value) {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject && Object.entries(value).every(([name, it]) => isText(name) && (it === undefined || isText(it)));
}

function hasValues(map) {
  return Object.values(map).some((it) => it !== undefined);
}

/** Throws for unknown options and wrong values. Values are not shown, because the key is secret. */
function check(options) {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("startHubLocal: the options must be an object");
  }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new TypeError(`startHubLocal has no option ${name}; its options are ${Object.keys(OPTIONS).join(", ")}`);
    }
    const expected = value === undefined || OPTIONS[name](value);
    if (expected !== true) {
      throw new TypeError(`startHubLocal: the option ${name} must be ${expected}`);
    }
  }
}

function upstreams(upstream) {
  if (typeof upstream === "string") {
    return ["--upstream", upstream];
  }
  // The service uses the first match, so the URL for all other hubs is the last.
  const hubs = Object.entries(upstream).filter(([, url]) => url !== undefined);
  hubs.sort(([left], [right]) => Number(left === "*") - Number(right === "*"));
  return hubs.flatMap(([hub, url]) => ["--upstream", `${hub}=${url}`]);
}

function commandLine({ upstream, port = 0, args = [], log }, env) {
  const level = log ?? (env.HUB_LOCAL_LOG ? undefined : "warn");
  return [
    ...["start", "--json", "--stop-with-stdin", "--port", String(port)],
    ...(upstream === undefined ? [] : upstreams(upstream)),
    ...(level === undefined ? [] : ["--log", level]),
    ...args,
  ];
}

async function startHubLocal(options = {}) {
  check(options);
  // HUB_LOCAL_URL is the address of another service, with another port.
  const env = { ...process.env, HUB_LOCAL_URL: undefined, ...options.env };
  if (options.key !== undefined) {
    // A variable, because other users of the machine can read the arguments of a process.
    env.HUB_LOCAL_KEY = options.key;
  }
  const path = findBinary(env);
  const child = spawn(path, commandLine(options, env), { env, stdio: "pipe", windowsHide: true });
  const ready = await started(child, path, options.timeout ?? START_TIMEOUT);
  return service(child, ready);
}

/** Waits for the line with the addresses. */
function started(child, path, timeout) {
  return new Promise((resolve, reject) => {
    let out = "";
    let log = "";
    const timer = setTimeout(() => fail(`did not start within ${timeout} ms`), timeout);
    const fail = (problem) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      const printed = log.trim();
      reject(new Error(`hub-local ${problem}${printed ? `:\n${printed}` : ""}`));
    };
    const collect = (text) => (log = (log + text).slice(-MAX_LOG));
    child.on("error", (error) => fail(`cannot be started from ${path}: ${error.message}`));
    child.on("close", (code, signal) => fail(`ended before it accepted connections, with ${signal ?? `exit code ${code}`}`));
    if (!child.stdin) {
      // Without file descriptors there are no pipes. The event `error` follows.
      return;
    }
    // A write to the pipe of a process that has ended is no error: nothing is written.
    child.stdin.on("error", () => {});
    child.stderr.setEncoding("utf8").on("data", collect);
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += text;
      const end = out.indexOf("\n");
      if (end < 0) {
        return;
      }
      const ready = addresses(out.slice(0, end));
      if (!ready) {
        fail(`at ${path} printed no addresses; is it hub-local of version ${version}, and is --help or --version in args?`);
        return;
      }
      clearTimeout(timer);
      child.removeAllListeners("error").removeAllListeners("close");
      child.stdout.removeAllListeners("data").resume();
      child.stderr.off("data", collect).on("data", (text) => process.stderr.write(text));
      process.stderr.write(log);
      resolve(ready);
    });
  });
}

function addresses(line) {
  try {
    const { url, port, connectionString, inspector } = JSON.parse(line);
    return typeof url === "string" && typeof port === "number" ? { url, port, connectionString, inspector } : undefined;
  } catch {
    return undefined;
  }
}

/** The result for the caller. */
function service(child, { url, port, connectionString, inspector }) {
  const handles = [child, child.stdin, child.stdout, child.stderr];
  // A service that is not stopped does not keep this process running. It stops with it: its standard input closes.
  handles.forEach((handle) => handle.unref());
  child.on("error", () => {});
  const closed = new Promise((resolve) => child.on("close", resolve));
  let stopping;
  const stop = () => {
    stopping ??= (async () => {
      handles.forEach((handle) => handle.ref());
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT);
      await closed;
      clearTimeout(timer);
    })();
    return stopping;
  };
  const local = { url, port, connectionString, inspector, stop };
  if (Symbol.asyncDispose) {
    local[Symbol.asyncDispose] = stop;
  }
  return local;
}

module.exports = { startHubLocal };
