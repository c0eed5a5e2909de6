"use strict";

/**
 * The path of the binary: that of the variable `HUB_LOCAL_BINARY`, or the file in the package for this system.
 *
 * @param {Record<string, string | undefined>} env the variables
 * @throws {Error} with advice, if there is no package for this system
 */
function findBinary(env) {
  if (env.HUB_LOCAL_BINARY) {
    return env.HUB_LOCAL_BINARY;
  }
  const name = `hub-local-${process.platform}-${process.arch}`;
  const file = process.platform === "win32" ? "hub-local.exe" : "hub-local";
  try {
    return require.resolve(`${name}/${file}`);
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") {
      throw error;
    }
    const { optionalDependencies } = require("./package.json");
    throw new Error(name in optionalDependencies ? notInstalled(name) : notSupported(optionalDependencies));
  }
}

function notInstalled(name) {
  return `the package ${name}, which holds the binary for this system, is not installed.
npm leaves it out with --omit=optional or --no-optional, and if node_modules or the lock file was made on another system.
Install again without these options: delete node_modules and the lock file, then run npm install. Or set
HUB_LOCAL_BINARY to the path of a hub-local binary.`;
}

function notSupported(packages) {
  const systems = Object.keys(packages).map((name) => name.replace("hub-local-", ""));
  return `there is no package with a binary for ${process.platform}-${process.arch}, only for ${systems.join(", ")}.
Build hub-local from source (it needs Rust), and set HUB_LOCAL_BINARY to the path of the binary.`;
}

module.exports = { findBinary };
