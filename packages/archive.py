#!/usr/bin/env python3
"""Packs the binary of hub-local for a target, as the release workflow publishes it.

packages/archive.py TARGET                    target/TARGET/release/hub-local, to the current folder
packages/archive.py TARGET --binary FILE      another file
packages/archive.py TARGET --out FOLDER       to another folder

Prints the path of the archive. `[package.metadata.binstall]` in hub-local/Cargo.toml names the same archives.
"""

from __future__ import annotations

import argparse
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXTS = [ROOT / "hub-local/README.md", ROOT / "LICENSE-APACHE", ROOT / "LICENSE-MIT"]


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry without the user and group of the machine that packs."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def pack(target: str, binary: Path, out: Path) -> Path:
    """Writes the archive of a target: a zip file for Windows, else a compressed tar file."""
    is_windows = "windows" in target
    name = f"hub-local-{target}"
    files = [(binary, f"{name}/hub-local{'.exe' if is_windows else ''}")]
    files += [(text, f"{name}/{text.name}") for text in TEXTS]
    out.mkdir(parents=True, exist_ok=True)
    if is_windows:
        archive = out / f"{name}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for file, place in files:
                packed.write(file, place)
    else:
        archive = out / f"{name}.tar.gz"
        with tarfile.open(archive, "w:gz") as packed:
            for file, place in files:
                packed.add(file, place, filter=anonymous)
    return archive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", metavar="TARGET")
    parser.add_argument("--binary", metavar="FILE", type=Path)
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path())
    options = parser.parse_args()
    suffix = ".exe" if "windows" in options.target else ""
    binary = options.binary or ROOT / f"target/{options.target}/release/hub-local{suffix}"
    if not binary.is_file():
        sys.exit(f"there is no file {binary}: build it with `cargo build --release -p hub-local --target {options.target}`")
    print(pack(options.target, binary, options.out))


if __name__ == "__main__":
    main()
