// Chromium, its tabs, and the errors of their pages.

import assert from "node:assert/strict";
import { accessSync, constants, mkdirSync } from "node:fs";
import { delimiter } from "node:path";
import { chromium } from "playwright-core";
import { root } from "./lib.js";

const pictures = `${root}/tests/e2e/out`;
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A foreign name for this machine.
  "--host-resolver-rules=MAP evil.example 127.0.0.1",
];

function findBrowser() {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const candidates = process.env.PATH.split(delimiter).flatMap((path) => names.map((name) => `${path}/${name}`));
  const found = [process.env.CHROMIUM, "/usr/bin/chromium", ...candidates].filter(Boolean).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  assert.ok(found, "Chromium not found: install the package `chromium`, or set CHROMIUM to its path");
  return found;
}

export class Browser {
  #browser;
  #contexts = [];
  /** Page errors and violations of content security policies. */
  mistakes = [];

  async start() {
    mkdirSync(pictures, { recursive: true });
    this.#browser = await chromium.launch({ executablePath: findBrowser(), args: flags });
  }

  /** Opens a separate browser context. Open more tabs with `tab.context()`. */
  async openTab(url, { context, ...options } = {}) {
    if (!context) {
      context = await this.#browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
      context.setDefaultTimeout(30_000);
      this.#contexts.push(context);
    }
    const tab = await context.newPage();
    tab.on("pageerror", (error) => this.mistakes.push(error.stack));
    tab.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text())) {
        this.mistakes.push(message.text());
      }
    });
    await tab.goto(url);
    return tab;
  }

  async closeTabs() {
    await Promise.all(this.#contexts.map((context) => context.close()));
    this.#contexts = [];
  }

  /** Takes a screenshot for manual inspection. */
  picture(tab, name) {
    return tab.screenshot({ path: `${pictures}/${name}.png`, animations: "disabled" });
  }

  async stop() {
    await this.#browser?.close();
  }
}
