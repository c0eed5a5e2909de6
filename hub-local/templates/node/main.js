// A chat: `npm start`, then open the printed address in two tabs.

import { start } from "./app.js";

try {
  process.loadEnvFile();
} catch (error) {
  if (error.code !== "ENOENT") throw error; // the file .env is optional
}

const { HOST, PORT, AzureSignalRConnectionString } = process.env;
const app = await start({
  host: HOST || "127.0.0.1",
  port: Number(PORT || 7071),
  connectionString: AzureSignalRConnectionString,
});
if (app.inspector) console.log(`Inspect  ${app.inspector}`);
console.log(`App      ${app.url}`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => app.stop().then(() => process.exit()));
}
