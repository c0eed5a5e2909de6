"""Tests of how pages become pages of the site: `python3 -m unittest discover docs/site`."""

import re
import tempfile
import unittest
from pathlib import Path

from api import Api
from links import Links
from markdown import site_page, with_links
from pages import Page, SiteError, place_of, read_summary

SITE = "https://site.example/"
REPOSITORY = "https://git.example/hub"
ITEMS = Api(
    """
pub mod hub_runtime::clients
pub struct hub_runtime::clients::Many<T>
pub fn hub_runtime::clients::Many<T>::send(&self)
#[non_exhaustive] pub enum hub_runtime::clients::SendError
pub trait hub_runtime::clients::Audience: sealed::Sealed
pub fn hub_runtime::clients::Audience::name(&self) -> String
pub const fn hub_runtime::listen() -> u8
"""
)
GUIDE = Page("Sending", "hub-runtime/src/guide/sending.md", "guide/sending.md")
OTHER = Page("Refresh", "hub-runtime/src/guide/refresh.md", "guide/refresh.md")
INDEX = Page("Hub", "README.md", "index.md")
DEPLOY = Page("Azure", "docs/azure.md", "azure.md")


class LinksOfPages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = Path(folder.name)
        for file in ["README.md", "docs/azure.md", "Cargo.toml", "examples/chat/hub.rs", "images/a.png"]:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).touch()
        self.links = Links(root, [INDEX, DEPLOY, GUIDE, OTHER], ITEMS, REPOSITORY, SITE, "api/")

    def check(self, page, target, expected):
        self.assertEqual(self.links.rewrite(target, page), expected)

    def test_links_between_pages_are_relative(self):
        self.check(INDEX, "docs/azure.md#roles", "azure.md#roles")
        self.check(DEPLOY, "../README.md", "index.md")
        self.check(GUIDE, "../../../docs/azure.md", "../azure.md")

    def test_links_to_other_files_and_folders_go_to_the_repository(self):
        self.check(DEPLOY, "../Cargo.toml", f"{REPOSITORY}/blob/main/Cargo.toml")
        self.check(DEPLOY, "../examples/chat/hub.rs#L3", f"{REPOSITORY}/blob/main/examples/chat/hub.rs#L3")
        self.check(INDEX, "examples/chat", f"{REPOSITORY}/tree/main/examples/chat")

    def test_links_without_a_file_are_errors(self):
        for target in ["nothing.md", "../../outside.md"]:
            with self.assertRaisesRegex(SiteError, f"docs/azure.md: there is no file for the link {target}"):
                self.links.rewrite(target, DEPLOY)

    def test_addresses_of_files_in_the_repository_are_links_to_these_files(self):
        self.check(GUIDE, f"{REPOSITORY}/blob/main/docs/azure.md#roles", "../azure.md#roles")
        self.check(GUIDE, f"{REPOSITORY}/raw/main/images/a.png", "../images/a.png")
        self.check(GUIDE, f"{REPOSITORY}/tree/main/examples/chat", f"{REPOSITORY}/tree/main/examples/chat")
        self.check(GUIDE, f"{REPOSITORY}/releases", f"{REPOSITORY}/releases")
        with self.assertRaisesRegex(SiteError, "there is no file"):
            self.links.rewrite(f"{REPOSITORY}/blob/main/nothing.md", GUIDE)

    def test_other_sites_and_fragments_stay(self):
        for target in ["https://www.example/a", "#roles", "mailto:a@b.example"]:
            self.check(DEPLOY, target, target)

    def test_addresses_of_the_site_are_relative(self):
        self.check(GUIDE, f"{SITE}azure.html#roles", "../azure.html#roles")
        self.check(DEPLOY, SITE, "index.html")

    def test_images_are_part_of_the_site(self):
        self.check(GUIDE, "../../../images/a.png", "../images/a.png")
        self.assertEqual(self.links.images, {"images/a.png"})

    def test_rust_items_are_pages_of_the_guide_or_of_the_api(self):
        self.check(GUIDE, "crate::guide::refresh", "refresh.md")
        self.check(GUIDE, "mod@refresh", "refresh.md")
        self.check(GUIDE, "crate::clients", "../api/hub_runtime/clients/index.html")
        self.check(GUIDE, "crate::clients::Many::send", "../api/hub_runtime/clients/struct.Many.html#method.send")
        self.check(GUIDE, "crate::clients::SendError", "../api/hub_runtime/clients/enum.SendError.html")
        trait = "../api/hub_runtime/clients/trait.Audience.html#tymethod.name"
        self.check(GUIDE, "crate::clients::Audience::name", trait)
        self.check(GUIDE, "crate::listen", "../api/hub_runtime/fn.listen.html")
        with self.assertRaisesRegex(SiteError, "no item for the link crate::clients::Gone"):
            self.links.rewrite("crate::clients::Gone", GUIDE)

    def test_the_api_can_be_elsewhere(self):
        self.links.api = f"{SITE}api/"
        self.check(GUIDE, "crate::clients", f"{SITE}api/hub_runtime/clients/index.html")
        self.check(DEPLOY, f"{SITE}api/hub_runtime/index.html", f"{SITE}api/hub_runtime/index.html")


class Markdown(unittest.TestCase):
    def test_links_are_found_in_prose_only(self):
        text = "[`a`](x) `[b](x)` ``c ` [d](x)`` [e][f] ![g](x \"t\")\n\n[f]: x\n"
        self.assertEqual(
            with_links(text, lambda target: target + "!"),
            "[`a`](x!) `[b](x)` ``c ` [d](x)`` [e][f] ![g](x! \"t\")\n\n[f]: x!\n",
        )

    def test_code_stays_as_it_is(self):
        text = "# T\n\n```sh\n# [a](b)\n```\n"
        self.assertEqual(site_page(text, DEPLOY, lambda _: self.fail("not a link")), text)

    def test_a_page_of_the_guide_gets_a_title_lower_headings_and_rust(self):
        text = "Sending: to clients.\n\n# Groups\n\n```\n# hidden\nlet a;\n```\n\n```no_run\na\n```\n\n```sh\n# b\n```\n"
        expected = "# Sending\n\nTo clients.\n\n## Groups\n\n```rust\n# hidden\nlet a;\n```\n\n```rust,no_run\na\n```\n\n```sh\n# b\n```\n"
        self.assertEqual(site_page(text, GUIDE, str), expected)
        with self.assertRaisesRegex(SiteError, "the first line"):
            site_page("# Sending\n", GUIDE, str)

    def test_words_for_the_tests_are_no_part_of_the_site(self):
        text = "# T\n\n1. a\n\n   ```js file=examples/a.js\n   b\n   ```\n"
        self.assertEqual(site_page(text, DEPLOY, str), text.replace(" file=examples/a.js", ""))

    def test_a_block_without_an_end_is_an_error(self):
        with self.assertRaisesRegex(SiteError, "docs/azure.md: a block of code has no end"):
            site_page("```sh\na\n", DEPLOY, str)


class Summary(unittest.TestCase):
    def test_places(self):
        for file, place in [
            ("README.md", "index.md"),
            ("docs/azure.md", "azure.md"),
            ("docs/reference/rest.md", "reference/rest.md"),
            ("hub-runtime/src/guide/sending.md", "guide/sending.md"),
            ("hub-local/README.md", "hub-local.md"),
            ("ARCHITECTURE.md", "architecture.md"),
        ]:
            self.assertEqual(place_of(file), place)

    def test_missing_files_and_pages_with_one_place_are_errors(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "docs").mkdir()
            (root / "docs/SUMMARY.md").write_text("- [A](a.md)\n")
            with self.assertRaisesRegex(SiteError, "there is no file docs/a.md"):
                read_summary(root)
            (root / "docs/a.md").touch()
            (root / "A.md").touch()
            (root / "docs/SUMMARY.md").write_text("- [A](a.md)\n- [B](../A.md)\n")
            with self.assertRaisesRegex(SiteError, "two pages have the place a.md"):
                read_summary(root)


class Repository(unittest.TestCase):
    def test_every_page_of_the_documentation_is_on_the_site(self):
        root = Path(__file__).resolve().parents[2]
        listed = {page.file for page in read_summary(root)}
        files = [*root.glob("docs/**/*.md"), *root.glob("hub-runtime/src/guide/*.md")]
        names = {file.relative_to(root).as_posix() for file in files} - {"docs/SUMMARY.md"}
        self.assertEqual(names - listed, set())

    def test_addresses_of_the_site_have_pages(self):
        root = Path(__file__).resolve().parents[2]
        site = re.search(r'^homepage = "(.+)"$', (root / "Cargo.toml").read_text("utf-8"), re.MULTILINE)[1]
        pages = {page.place.replace(".md", ".html") for page in read_summary(root)} | {""}
        files = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("hub-*/**/*.md"), *root.glob("hub-*/src/**/*.rs")]
        found = {
            address
            for file in files
            for address in re.findall(re.escape(site) + r"([\w./-]*[\w/]|)", file.read_text("utf-8"))
        }
        self.assertIn("settings.html", found)
        self.assertEqual({address for address in found if not address.startswith("api/")} - pages, set())


if __name__ == "__main__":
    unittest.main()
