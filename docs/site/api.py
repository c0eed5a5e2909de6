"""Paths of Rust items, as rustdoc resolves them in links, and their pages in the API reference."""

from __future__ import annotations

import re
from pathlib import Path

ITEM = re.compile(
    r"^(?:#\[[^\]]*\] )?pub (?:const |async |unsafe )*(mod|struct|enum|trait|fn|type|macro) (\w+(?:(?:<[^>]*>)?::\w+)*)"
)
PAGES = {"struct": "struct", "enum": "enum", "trait": "trait", "type": "type", "macro": "macro", "fn": "fn"}


class Api:
    """The public items of a crate, from its list in docs/public-api."""

    def __init__(self, items: str):
        self.kinds: dict[str, str] = {}
        for line in items.splitlines():
            if found := ITEM.match(line):
                path = re.sub(r"<[^>]*>", "", found[2])
                self.kinds.setdefault(path, found[1])

    @classmethod
    def of_crate(cls, root: Path, name: str) -> Api:
        """The items of a crate of the workspace."""
        return cls((root / f"docs/public-api/{name}.txt").read_text("utf-8"))

    def page(self, path: str) -> str | None:
        """The page of an item below the folder of the API reference, or `None` if there is no such item."""
        kind = self.kinds.get(path)
        if kind is None:
            return f"{path}/index.html" if "::" not in path else None
        *parents, name = path.split("::")
        folder = "/".join(parents)
        if kind == "mod":
            return f"{folder}/{name}/index.html"
        parent = "::".join(parents)
        if kind == "fn" and self.kinds.get(parent) in ("struct", "enum", "trait"):
            owner = self.page(parent)
            method = "tymethod" if self.kinds[parent] == "trait" else "method"
            return f"{owner}#{method}.{name}"
        return f"{folder}/{PAGES[kind]}.{name}.html"
