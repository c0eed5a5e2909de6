// The built site of the documentation in Chromium: pages, search, both colour schemes, narrow screens. No request leaves this machine.
// `docs/build` builds it.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Browser } from "./browser.js";
import { program } from "./lib.js";

const book = join(program("hub-local"), "../../book");
const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};
const browser = new Browser();
let server;
let site;

before(async () => {
  assert.ok(existsSync(join(book, "index.html")), "the site is not built: run docs/build");
  server = createServer(async (request, response) => {
    try {
      const body = await readFile(join(book, new URL(request.url, "http://x").pathname));
      response.writeHead(200, { "content-type": types[extname(request.url.split("?")[0])] ?? "font/woff2" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  site = `http://127.0.0.1:${server.address().port}`;
  await browser.start();
});

after(async () => {
  await browser.stop();
  server?.close();
});

/** Opens a page of the site, and collects its requests and the errors of its console. */
async function open(url, options) {
  const tab = await browser.openTab("about:blank", options);
  const seen = { requests: [], errors: [] };
  tab.on("request", (request) => seen.requests.push(request.url()));
  tab.on("requestfailed", (request) => seen.errors.push(`${request.url()}: ${request.failure()?.errorText}`));
  tab.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
  await tab.goto(url);
  return { tab, seen };
}

async function search(tab, words) {
  await tab.keyboard.press("s");
  await tab.locator("#mdbook-searchbar").pressSequentially(words);
  await tab.locator("#mdbook-searchresults a").first().waitFor();
}

for (const [name, address] of [
  ["from a server", () => site],
  ["from the file system", () => pathToFileURL(book).href],
]) {
  test(`the search finds a page ${name}, and no request leaves this machine`, async () => {
    const { tab, seen } = await open(`${address()}/index.html`);

    await search(tab, "negotiate");
    const found = tab.locator("#mdbook-searchresults a", { hasText: /^Negotiate/ }).first();
    await found.click();
    await tab.waitForURL(/guide\/negotiate\.html/);
    await tab.locator("main h1", { hasText: "Negotiate" }).waitFor();
    // The side bar is made by a script.
    await tab.locator("#mdbook-sidebar a", { hasText: "Refresh" }).click();
    await tab.locator("main h1", { hasText: "Refresh" }).waitFor();

    assert.deepEqual(seen.errors, []);
    assert.ok(seen.requests.length > 10, `${seen.requests}`);
    assert.deepEqual(
      seen.requests.filter((url) => !url.startsWith(address()) && !url.startsWith("data:")),
      [],
    );
    assert.deepEqual(browser.mistakes, []);
    await browser.closeTabs();
  });
}

test("the pages follow the colour scheme of the system, and fit a screen of 390 px", async () => {
  const brightness = (tab) =>
    tab.evaluate(() => {
      const [red, green, blue] = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number);
      return (red + green + blue) / 3;
    });
  for (const width of [390, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      const { tab } = await open(`${site}/index.html`, { viewport: { width, height: 844 }, colorScheme });
      const found = await brightness(tab);
      assert.ok(colorScheme === "dark" ? found < 64 : found > 192, `${colorScheme}: ${found}`);

      for (const page of ["index", "guide/refresh", "settings", "hub-local"]) {
        await tab.goto(`${site}/${page}.html`);
        const extra = await tab.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.ok(extra <= 0, `${page} is ${extra} px wider than ${width} px`);
        await browser.picture(tab, `docs-${page.replace("/", "-")}-${width}-${colorScheme}`);
      }
      await browser.closeTabs();
    }
  }
});

test("all pages can be printed as one", async () => {
  const { tab, seen } = await open("about:blank");
  await tab.addInitScript(() => {
    window.print = () => {};
  });
  await tab.goto(`${site}/print.html`);

  const titles = await tab.locator("main h1").allTextContents();
  assert.ok(titles.includes("Negotiate") && titles.includes("Settings"), `${titles}`);
  assert.deepEqual(seen.errors, []);
});
