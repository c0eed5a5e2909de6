"""The pages of the site: their files in the repository and their places on the site."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath

GUIDE = "hub-runtime/src/guide/"
ENTRY = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


class SiteError(Exception):
    """A problem in a page, with its file."""


@dataclass(frozen=True)
class Page:
    """A page: its title in SUMMARY.md, its file from the root of the repository, and its place on the site."""

    title: str
    file: str
    place: str

    @property
    def is_guide(self) -> bool:
        """Whether rustdoc shows the page, too: its text is docs of a module."""
        return self.file.startswith(GUIDE)


def resolve(target: str, file: str) -> str:
    """The path of a relative link in a file, from the root of the repository."""
    return normpath(str(PurePosixPath(file).parent / target))


def place_of(file: str) -> str:
    """The place of a file of the repository on the site."""
    path = PurePosixPath(file)
    if file == "README.md":
        return "index.md"
    if file.startswith(GUIDE):
        return f"guide/{path.name}"
    if file.startswith("docs/"):
        return file.removeprefix("docs/")
    if path.name == "README.md":
        return f"{path.parent.name}.md"
    return path.name.lower()


def read_summary(root: Path) -> list[Page]:
    """The pages in docs/SUMMARY.md."""
    pages = []
    for title, target in ENTRY.findall((root / "docs/SUMMARY.md").read_text("utf-8")):
        file = resolve(target, "docs/SUMMARY.md")
        if not (root / file).is_file():
            raise SiteError(f"docs/SUMMARY.md: there is no file {file}")
        pages.append(Page(title, file, place_of(file)))
    places = [page.place for page in pages]
    for place in places:
        if places.count(place) > 1:
            raise SiteError(f"docs/SUMMARY.md: two pages have the place {place} on the site")
    return pages


def site_summary(root: Path, pages: list[Page]) -> str:
    """SUMMARY.md with the places of the pages on the site."""
    places = {page.file: page.place for page in pages}
    text = (root / "docs/SUMMARY.md").read_text("utf-8")
    return ENTRY.sub(lambda found: f"[{found[1]}]({places[resolve(found[2], 'docs/SUMMARY.md')]})", text)
