"""Links of the repository's Markdown files, and what they become on the site."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import relpath

from api import Api
from pages import Page, SiteError, resolve

# A file of the repository, as pages name it that are also shown elsewhere, such as the README of a package.
FILE = re.compile(r"/(?:blob|raw|tree)/main/([^#]+)")
IMAGES = (".png", ".svg", ".jpg")


class Links:
    """Rewrites links. `api` is the address of the API reference: a URL, or a path from the root of the site."""

    def __init__(self, root: Path, pages: list[Page], items: Api, repository: str, site: str, api: str):
        self.root, self.items, self.repository, self.site, self.api = root, items, repository, site, api
        self.places = {page.file: page.place for page in pages}
        self.images: set[str] = set()

    def rewrite(self, target: str, page: Page) -> str:
        """The target of a link of a page."""
        if target.startswith("#") or target.startswith("mailto:"):
            return target
        if target.startswith(("crate::", "mod@")):
            return self.item(target, page)
        if target.startswith(self.site):
            return self.from_page(target.removeprefix(self.site), page)
        in_repository = FILE.match(target.removeprefix(self.repository)) if target.startswith(self.repository) else None
        if target.startswith(("https://", "http://")) and not in_repository:
            return target
        path, mark, fragment = target.partition("#")
        file = in_repository[1] if in_repository else resolve(path, page.file)
        if file in self.places:
            return self.relative(self.places[file], page) + mark + fragment
        if file.startswith("..") or not (self.root / file).exists():
            raise SiteError(f"{page.file}: there is no file for the link {target}")
        if PurePosixPath(file).suffix in IMAGES:
            self.images.add(file)
            return self.relative(f"images/{PurePosixPath(file).name}", page)
        kind = "tree" if (self.root / file).is_dir() else "blob"
        return f"{self.repository}/{kind}/main/{file}{mark}{fragment}"

    def item(self, target: str, page: Page) -> str:
        """A link to a Rust item: to the page of the guide, or to the API reference."""
        path = target.removeprefix("mod@").replace("crate::", "hub_runtime::")
        if "::" not in path:
            path = f"hub_runtime::guide::{path}"
        guide = f"hub-runtime/src/guide/{path.rpartition('::')[2]}.md"
        if path.startswith("hub_runtime::guide::") and guide in self.places:
            return self.relative(self.places[guide], page)
        found = self.items.page(path)
        if found is None:
            raise SiteError(f"{page.file}: docs/public-api has no item for the link {target}")
        return self.from_page(f"api/{found}", page)

    def from_page(self, place: str, page: Page) -> str:
        """The address of a place on the site, as a link of a page. It may end with a fragment."""
        if place.startswith("api/") and self.api.startswith("https://"):
            return self.api + place.removeprefix("api/")
        return self.relative(place or "index.html", page)

    @staticmethod
    def relative(place: str, page: Page) -> str:
        return relpath(place, PurePosixPath(page.place).parent)
