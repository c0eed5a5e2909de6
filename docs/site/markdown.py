"""The text of a page on the site, from the Markdown in the repository."""

from __future__ import annotations

import re
from typing import Callable

from pages import Page, SiteError

FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*(.*)$")
# A code span, which contains no link; the target of a link or an image; a link definition.
INLINE = re.compile(
    r"(?P<code>(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<before>\]\()(?P<target>[^()\s]+)(?P<title>(?:\s+\"[^\"]*\")?)\)"
    r"|^(?P<name>\[[^\]\n]+\]:\s*)(?P<defined>\S+)",
    re.DOTALL | re.MULTILINE,
)
# The flags of rustdoc at the start of a block that has no other language.
RUST_FLAGS = {"", "no_run", "should_panic", "compile_fail"}


def parts(text: str, file: str) -> list[tuple[str | None, str]]:
    """The prose and the fenced blocks of a text, in order: `None` or the info string of the block, and the lines."""
    found: list[tuple[str | None, str]] = []
    info, fence, lines = None, "", []
    for line in text.splitlines(keepends=True):
        mark = FENCE.match(line.rstrip("\n"))
        if info is None and mark:
            found.append((None, "".join(lines)))
            info, fence, lines = mark[3], mark[2], [line]
        elif info is not None and line.strip() == fence:
            lines.append(line)
            found.append((info, "".join(lines)))
            info, lines = None, []
        else:
            lines.append(line)
    if info is not None:
        raise SiteError(f"{file}: a block of code has no end")
    found.append((None, "".join(lines)))
    return found


def with_links(prose: str, rewrite: Callable[[str], str]) -> str:
    """Prose with other targets of its links."""

    def replace(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        if found["target"]:
            return f"{found['before']}{rewrite(found['target'])}{found['title']})"
        return f"{found['name']}{rewrite(found['defined'])}"

    return INLINE.sub(replace, prose)


def guide_prose(prose: str) -> str:
    """Prose of the guide with its headings one level lower, below the title of the page."""
    return re.sub(r"^(#{1,5}) ", r"#\1 ", prose, flags=re.MULTILINE)


def guide_title(text: str, page: Page) -> str:
    """A page of the guide with a title. Its first line is `Title: sentence.`, as rustdoc needs it for its lists."""
    title, colon, rest = text.partition(": ")
    if not colon or "\n" in title:
        raise SiteError(f"{page.file}: the first line is not `Title: sentence.`")
    return f"# {title}\n\n{rest[:1].upper()}{rest[1:]}"


def block(info: str, text: str, is_rust_default: bool) -> str:
    """A fenced block with the name of its language first, and without words for the tests."""
    words = re.split(r"[\s,]+", info)
    if is_rust_default and words[0] in RUST_FLAGS:
        words = ["rust", *[word for word in words if word]]
    shown = ",".join(word for word in words if word and "=" not in word)
    first, rest = text.split("\n", 1)
    indent, fence = FENCE.match(first).group(1, 2)
    return f"{indent}{fence}{shown}\n{rest}"


def site_page(text: str, page: Page, rewrite: Callable[[str], str]) -> str:
    """The text of a page as mdBook reads it."""
    if page.is_guide:
        found = parts(text, page.file)
        prose = [(info, guide_prose(part) if info is None else part) for info, part in found]
        text = guide_title("".join(part for _, part in prose), page)
    written = [
        with_links(part, rewrite) if info is None else block(info, part, page.is_guide)
        for info, part in parts(text, page.file)
    ]
    return "".join(written)
