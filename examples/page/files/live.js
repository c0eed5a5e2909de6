// A connection that always reconnects. The attribute `data-state` of #status shows its state.

/** Milliseconds before each attempt. The last value repeats. */
const DELAYS = [0, 250, 500, 1000, 2000, 3000];
export const delay = (attempt) => DELAYS[Math.min(attempt, DELAYS.length - 1)] * (0.8 + 0.4 * Math.random());
export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const STATES = { connecting: "Connecting…", online: "Connected", reconnecting: "Reconnecting…" };

function show(state) {
  const status = document.getElementById("status");
  status.dataset.state = state;
  status.textContent = STATES[state];
}

/**
 * Connects to the hub at `url`, and reconnects whenever the connection is lost.
 *
 * Messages from the server are queued until `present` has run. No update is missed, but an update that the
 * current state already includes can be delivered again.
 *
 * @param {string} url
 * @param {(connection: any) => unknown} [present]  fetches and shows the current state over the given connection;
 *     runs after each connect
 * @returns a connection for the functions of the generated file, whose `invoke` waits until it is connected, and
 *     `refresh()`, which runs `present` again
 */
export function live(url, present = () => {}) {
  const hub = new signalR.HubConnectionBuilder()
    .withUrl(url)
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: ({ previousRetryCount }) => delay(previousRetryCount) })
    .configureLogging(signalR.LogLevel.None)
    .build();
  let news = []; // queued messages; null while messages are delivered immediately
  const queued = new Map(); // by handler

  async function refresh() {
    news ??= [];
    await present(hub);
    news.forEach((tell) => tell());
    news = null;
  }

  let waiting = [];
  async function online() {
    try {
      await refresh();
    } catch {
      await sleep(delay(3));
      // If the connection was lost again, the next connect calls `online`.
      return hub.state === signalR.HubConnectionState.Connected ? online() : undefined;
    }
    show("online");
    waiting.forEach((go) => go());
    waiting = [];
  }

  async function start() {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await hub.start();
        return online();
      } catch {
        await sleep(delay(attempt));
      }
    }
  }

  function lost(state) {
    news ??= [];
    show(state);
  }

  hub.onreconnecting(() => lost("reconnecting"));
  hub.onreconnected(online);
  // The server closed the connection permanently. Reconnect as long as the page is open.
  hub.onclose(async () => {
    lost("reconnecting");
    await sleep(delay(2));
    await start();
  });
  show("connecting");
  start();

  return {
    refresh,
    async invoke(method, ...args) {
      if (hub.state !== signalR.HubConnectionState.Connected) {
        await new Promise((resolve) => waiting.push(resolve));
      }
      return hub.invoke(method, ...args);
    },
    on(name, handler) {
      queued.set(handler, (...args) => (news ? void news.push(() => handler(...args)) : handler(...args)));
      hub.on(name, queued.get(handler));
    },
    off(name, handler) {
      hub.off(name, queued.get(handler));
      queued.delete(handler);
    },
  };
}

/** Runs an action and shows its error in #error. */
export async function act(action) {
  const error = document.getElementById("error");
  error.hidden = true;
  try {
    await action();
  } catch (failure) {
    error.textContent = failure.message;
    error.hidden = false;
  }
}

/**
 * An element with a class and text. User input is inserted as text, never as markup.
 *
 * @returns {any}
 */
export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** The text after `#` in the address. */
export function fragment() {
  const text = location.hash.slice(1);
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not percent-encoded, for example `#100%`
  }
}
