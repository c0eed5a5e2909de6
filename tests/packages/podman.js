// Builds and runs the container image with podman, which needs no daemon.

import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, until } from "../e2e/lib.js";

export const IMAGE = "hub-local-test";

const base = mkdtempSync(join(tmpdir(), "hub-local-image-"));
const ARCHITECTURES = { arm64: "arm64", x64: "amd64" };

/** crun refuses the hybrid mode of cgroups. Without the mount of version 2, it uses version 1. */
const isHybrid = existsSync("/sys/fs/cgroup/unified");
const START = isHybrid
  ? ["unshare", "--mount", "sh", "-c", 'umount -R /sys/fs/cgroup/unified && exec "$0" "$@"', "podman"]
  : ["podman"];

const GLOBAL = [
  ...["--root", join(base, "storage"), "--runroot", join(base, "run"), "--storage-driver", "vfs"],
  ...["--runtime", "crun", "--cgroup-manager", "cgroupfs", "--events-backend", "none"],
];

/** Limits and cgroups that a machine without systemd, and a root user without all capabilities, can set. */
const LIMITS = ["--cgroups", "disabled", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--security-opt", "seccomp=unconfined"];

/**
 * The binary of the tests needs the C library of this machine, which the image does not have. Released binaries are static
 * and need nothing.
 */
const LIBRARIES = ["/lib", "/lib64"].filter(existsSync).flatMap((folder) => ["--volume", `${folder}:${folder}:ro`]);

/** Runs podman. The health check is started by the tests, because only systemd can start it regularly. */
export function podman(...args) {
  const [program, ...before] = START;
  const options = { cwd: root, encoding: "utf8", env: { ...process.env, DISABLE_HC_SYSTEMD: "true" }, timeout: 120_000 };
  const { status, stdout, stderr, error } = spawnSync(program, [...before, ...GLOBAL, ...args], options);
  if (error) {
    throw error;
  }
  return { code: status, out: stdout, log: stderr };
}

/** Runs podman, which must succeed, and returns its output. */
export function succeed(...args) {
  const { code, out, log } = podman(...args);
  if (code !== 0) {
    throw new Error(`podman ${args.join(" ")} ended with exit code ${code}:\n${out}${log}`);
  }
  return out.trim();
}

/** Builds the last stage of the Dockerfile with a binary, as the release workflow does. */
export function buildImage(binary) {
  const content = join(base, "content");
  const folder = join(content, ARCHITECTURES[process.arch] ?? process.arch);
  mkdirSync(folder, { recursive: true });
  execFileSync("strip", ["-o", join(folder, "hub-local"), binary]);
  copyFileSync("/etc/ssl/certs/ca-certificates.crt", join(content, "ca-certificates.crt"));
  const form = ["--format", "docker", "--isolation", "chroot"];
  succeed("build", ...form, "--build-context", `binary=${content}`, "--tag", IMAGE, root);
}

let count = 0;

/** A running container of the image. */
export class Container {
  constructor(options, args) {
    this.name = `service-${++count}`;
    succeed("run", "--detach", "--name", this.name, ...LIMITS, ...LIBRARIES, ...options, IMAGE, ...args);
  }

  /** What the service has printed. */
  get output() {
    const { out, log } = podman("logs", this.name);
    return out + log;
  }

  async started() {
    return until("the service starts", () => this.output.match(/Ctrl\+C stops/) && this.output);
  }

  inspect(format) {
    return JSON.parse(succeed("inspect", "--format", `{{json ${format}}}`, this.name));
  }

  /** Ids and capabilities of process 1, with ids as the container has them. */
  process() {
    const folder = `/proc/${this.inspect(".State.Pid")}`;
    const status = readFileSync(`${folder}/status`, "utf8");
    const field = (name) => status.match(new RegExp(`^${name}:\\s+(\\w+)`, "m"))[1];
    const inside = (map, id) => {
      const ranges = readFileSync(`${folder}/${map}`, "utf8").trim().split("\n").map((line) => line.trim().split(/\s+/).map(Number));
      const [first, outside] = ranges.find(([, outside, count]) => id >= outside && id < outside + count);
      return id - outside + first;
    };
    return {
      user: inside("uid_map", Number(field("Uid"))),
      group: inside("gid_map", Number(field("Gid"))),
      capabilities: BigInt(`0x${field("CapEff")}`),
    };
  }

  /** Runs the health check of the image. */
  check() {
    const { code } = podman("healthcheck", "run", this.name);
    const text = this.inspect(".State").Health.Log.at(-1).Output;
    return { code, text: text.trim() };
  }
}

/** Ends all containers and deletes their files. */
export function removeAll() {
  podman("rm", "--all", "--force", "--time", "1");
  rmSync(base, { recursive: true, force: true });
}
