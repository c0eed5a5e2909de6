#!/usr/bin/env python3
"""Publishes what a registry does not have yet, so that a publication that stopped is continued by the same command.

packages/publish.py crates         the crates of this checkout, to crates.io
packages/publish.py npm FOLDER     the packages (.tgz) in a folder, to npm: hub-local last, because it depends on the others
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in the checkout and returns its output."""
    program = shutil.which(command[0]) or sys.exit(f"error: {command[0]} is not installed")
    return subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)


def publish(*command: str) -> None:
    """Runs a command that publishes, and shows its output."""
    program = shutil.which(command[0]) or command[0]
    status = subprocess.run([program, *command[1:]], cwd=ROOT, check=False).returncode
    if status:
        sys.exit(f"error: {command[0]} ended with status {status}. To publish what is missing, run this command again.")


def is_published(name: str, version: str, *command: str, unknown: str) -> bool:
    """Whether a registry has a version: the command prints it. Its error contains `unknown` if the registry does not have it."""
    found = run(*command)
    if found.returncode and unknown not in found.stderr:
        sys.exit(f"error: {command[0]} cannot look up {name} {version}:\n{found.stderr}")
    is_there = found.returncode == 0 and bool(found.stdout.strip())
    print(f"{name} {version} {'is published already' if is_there else 'is missing'}", flush=True)
    return is_there


def crates() -> None:
    described = run("cargo", "metadata", "--format-version", "1", "--no-deps", "--locked")
    if described.returncode:
        sys.exit(described.stderr)
    missing = []
    for crate in json.loads(described.stdout)["packages"]:
        name, version = crate["name"], crate["version"]
        look_up = ("cargo", "info", "--registry", "crates-io", f"{name}@{version}")
        if crate["publish"] is None and not is_published(name, version, *look_up, unknown="could not find"):
            missing += ["--package", name]
    if missing:
        # The job `check` of the release has built this commit from its packed form.
        publish("cargo", "publish", "--locked", "--no-verify", *missing)


def npm(folder: Path) -> None:
    packages = []
    for file in sorted(folder.resolve().glob("*.tgz")):
        with tarfile.open(file) as archive:
            manifest = json.load(archive.extractfile("package/package.json"))
        packages.append((manifest["name"], manifest["version"], str(file)))
    if not packages:
        sys.exit(f"error: {folder} has no .tgz file")
    packages.sort(key=lambda package: package[0] == "hub-local")
    for name, version, file in packages:
        look_up = ("npm", "view", f"{name}@{version}", "version")
        if not is_published(name, version, *look_up, unknown="E404"):
            publish("npm", "publish", "--access", "public", file)


def main() -> None:
    match sys.argv[1:]:
        case ["crates"]:
            crates()
        case ["npm", folder]:
            npm(Path(folder))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
