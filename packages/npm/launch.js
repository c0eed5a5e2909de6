#!/usr/bin/env node
// Runs the binary in the place of this process: arguments, standard streams, signals and the end are the same.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");
const { findBinary } = require("./binary.js");

/** How often the launcher looks whether the shell of npm still runs, in milliseconds. */
const SHELL_INTERVAL = 250;

/** The signals that end a process, except for those that cannot be handled or come from a fault. Node itself uses SIGPROF. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGABRT", "SIGUSR1", "SIGUSR2"];

let child;
let isStopping = false;

function fail(text) {
  console.error(`error: ${text}`);
  process.exitCode = 1;
}

function launch(path) {
  const [, , ...args] = process.argv;
  // `new` writes an app in the language of the package.
  const env = args[0] === "new" ? { ...process.env, HUB_LOCAL_PACKAGE: "npm" } : process.env;
  child = spawn(path, args, { stdio: "inherit", env });
  child.on("error", (error) => fail(`cannot run ${path}: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : code;
    if (signal) {
      // Ends this process by the same signal. The exit code is for signals that Node ignores.
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

function passOn(signal) {
  isStopping = true;
  // On Windows `kill` would end the binary at once, and the console sends Ctrl+C to both processes. On other systems a
  // terminal also sends SIGINT to both: the binary counts signals within half a second as one.
  if (process.platform !== "win32") {
    child?.kill(signal);
  }
}

/** Whether a process has ended. On Windows the parent's id stays, on other systems it changes before the parent's entry is gone. */
function isGone(parent) {
  if (process.platform !== "win32") {
    return process.ppid !== parent;
  }
  try {
    process.kill(parent, 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

/** npx and `npm run` pass signals on to a shell only, which may end without passing them on. */
function stopWithShell() {
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (isGone(shell)) {
      clearInterval(timer);
      if (!isStopping) {
        // On Windows this ends the binary at once: there is no signal.
        child?.kill("SIGTERM");
      }
    }
  }, SHELL_INTERVAL);
  timer.unref();
}

// Before the start of the binary, so that a signal never ends this process and leaves the binary.
for (const signal of SIGNALS) {
  process.on(signal, passOn);
}
if (process.env.npm_lifecycle_event) {
  stopWithShell();
}

try {
  launch(findBinary(process.env));
} catch (error) {
  fail(error.message);
}
