// A chat: `npm start`, then open the printed address in two tabs.

import { start } from "./app.js";

try {
  loadSettings();
  const app = await start({
    host: process.env.HOST || "127.0.0.1",
    port: port("PORT", 7071),
    connectionString: process.env.AzureSignalRConnectionString,
    servicePort: port("HUB_LOCAL_PORT", 0),
  });
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => app.stop().then(() => process.exit()));
  }
  if (app.inspector) console.log(`Inspect  ${app.inspector}`);
  console.log(`App      ${app.url}`);
} catch (error) {
  // A stack helps with mistakes in code only.
  const isForeseen = error.code || error.constructor === Error;
  const advice = error.code === "EADDRINUSE" ? ": set another PORT" : "";
  console.error(isForeseen ? `error: ${error.message}${advice}` : error);
  process.exitCode = 1;
}

function loadSettings() {
  try {
    process.loadEnvFile();
  } catch (error) {
    if (error.code !== "ENOENT") throw error; // the file .env is optional
  }
}

/** The port that a variable sets. */
function port(name, otherwise) {
  const text = process.env[name];
  if (!text) return otherwise;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535)
    throw new Error(`${name} must be a number from 0 to 65535`);
  return Number(text);
}
