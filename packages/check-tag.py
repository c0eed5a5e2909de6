#!/usr/bin/env python3
"""Checks that a tag can be released: `packages/check-tag.py v0.1.0`.

The tag is `v` and the version in Cargo.toml, and CHANGELOG.md has a dated section for this version, before those of earlier ones.
The packages for npm and PyPI take their version from Cargo.toml.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def problems(tag: str, manifest: str, changelog: str) -> list[str]:
    """What must be changed before the tag can be released."""
    found = re.search(r'^\[workspace\.package\]\s[^\[]*?^version = "([^"]+)"$', manifest, re.MULTILINE)
    version = found[1] if found else "?"
    wrong = []
    if tag != f"v{version}":
        wrong.append(f"the tag is {tag}, but Cargo.toml has the version {version}: tag v{version}, or change the version")
    sections = re.findall(r"^## \[([^\]]+)\](.*)$", changelog, re.MULTILINE)
    released = [section for section in sections if section[0] != "Unreleased"]
    if not released or released[0][0] != version:
        wrong.append(f"the first release in CHANGELOG.md is not {version}: add the section `## [{version}] - YYYY-MM-DD`")
    elif not re.fullmatch(r" - \d{4}-\d{2}-\d{2}", released[0][1]):
        wrong.append(f"the section {version} of CHANGELOG.md has no date: `## [{version}] - YYYY-MM-DD`")
    return wrong


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    texts = [(ROOT / file).read_text("utf-8") for file in ("Cargo.toml", "CHANGELOG.md")]
    wrong = problems(sys.argv[1], *texts)
    for problem in wrong:
        print(f"error: {problem}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
