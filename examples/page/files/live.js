// A connection that never gives up. The page says in `data-state` of #status how it stands.

/** Milliseconds before each attempt; the last one repeats for ever. */
const DELAYS = [0, 250, 500, 1000, 2000, 3000];
const delay = (attempt) => DELAYS[Math.min(attempt, DELAYS.length - 1)] * (0.8 + 0.4 * Math.random());
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const STATES = { connecting: "Connecting…", online: "Connected", reconnecting: "Reconnecting…" };

function show(state) {
  const status = document.getElementById("status");
  status.dataset.state = state;
  status.textContent = STATES[state];
}

/**
 * Connects to the hub at `url`, now and after every loss.
 *
 * What the server says reaches the page only behind `present`: so news that are older than the present
 * state come a second time, and none are missed.
 *
 * @param methods  what the server may call: `{ name: function }`
 * @param present  asks for the present state and shows it instead of what is there; runs after each start
 * @returns `call(method, ...args)`, which waits while there is no connection, and `refresh()`
 */
export function live(url, methods, present = () => {}) {
  const hub = new signalR.HubConnectionBuilder()
    .withUrl(url)
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: ({ previousRetryCount }) => delay(previousRetryCount) })
    .configureLogging(signalR.LogLevel.None)
    .build();
  let news = []; // waits; null while nothing has to
  for (const [name, method] of Object.entries(methods)) {
    hub.on(name, (...args) => (news ? void news.push(() => method(...args)) : method(...args)));
  }

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
      // When it was lost again, the next start comes here.
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
  // The server closed for good; a page that stays open is no reason to give up.
  hub.onclose(async () => {
    lost("reconnecting");
    await sleep(delay(2));
    await start();
  });
  show("connecting");
  start();

  const call = async (method, ...args) => {
    if (hub.state !== signalR.HubConnectionState.Connected) {
      await new Promise((resolve) => waiting.push(resolve));
    }
    return hub.invoke(method, ...args);
  };
  return { call, refresh };
}

/** Runs an action, and shows in #error what went wrong. */
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

/** An element with a class and text; whatever people wrote goes in as text, never as markup. */
export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
