// The same app with three services: in its process, in a second process, and the `hub-local` command.

import { Program, freePort } from "./lib.js";

const KEY = "a-key-that-two-processes-share-0123456789";

const listens = (program, port) => program.printed(new RegExp(`127\\.0\\.0\\.1:${port}\\b`));

/** The service in the process of the app. They call each other without sockets. */
export async function embedded() {
  const [PORT, HUB_LOCAL_PORT] = [String(await freePort()), String(await freePort())];
  const app = new Program("e2e-app", [], { PORT, HUB_LOCAL_PORT });
  await listens(app, PORT);
  return { app, service: app, url: `http://127.0.0.1:${PORT}/loop`, programs: [app] };
}

/** The app with a service that is already running. */
async function withService(service, PORT, SERVICE) {
  const start = async () => {
    const app = new Program("e2e-app", [], {
      PORT,
      AzureSignalRConnectionString: `Endpoint=http://127.0.0.1:${SERVICE};AccessKey=${KEY};Version=1.0;`,
    });
    await listens(app, PORT);
    return app;
  };
  const app = await start();
  return { app, service, start, url: `http://127.0.0.1:${PORT}/loop`, programs: [app, service] };
}

/** The library in a separate process. They call each other over HTTP. */
export async function twoProcesses() {
  const [PORT, SERVICE] = [String(await freePort()), String(await freePort())];
  const service = new Program("e2e-app", ["service", `http://127.0.0.1:${PORT}/runtime/webhooks/signalr`], {
    PORT: SERVICE,
    KEY,
  });
  await listens(service, SERVICE);
  return withService(service, PORT, SERVICE);
}

/** `hub-local start`, for apps in any language. */
export async function command() {
  const [PORT, SERVICE] = [String(await freePort()), String(await freePort())];
  const upstream = `http://127.0.0.1:${PORT}/runtime/webhooks/signalr`;
  const startService = async () => {
    const service = new Program("hub-local", ["start", "--port", SERVICE, "--upstream", upstream, "--log", "debug"], {
      HUB_LOCAL_KEY: KEY,
    });
    await service.printed(/Ctrl\+C stops/);
    return service;
  };
  return { ...(await withService(await startService(), PORT, SERVICE)), startService };
}
