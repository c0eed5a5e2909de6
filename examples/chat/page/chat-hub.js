// Generated from the hubs of the app by its command `typescript PATH --js`.
// The next run overwrites changes.
/* eslint-disable */

/** Returns the methods of the hub `Chat` as functions. */
export function createChatHub(connection) {
  return {
    rooms: () => connection.invoke("rooms"),
    join: (...args) => connection.invoke("join", ...args),
    sendMessage: (...args) => connection.invoke("sendMessage", ...args),
    openRoom: (...args) => connection.invoke("openRoom", ...args),
  };
}

/**
 * Registers a handler for each method that the hub `Chat` calls. Reconnects keep
 * them. The returned function removes them.
 */
export function registerChatClient(connection, handlers) {
  return register(connection, handlers, {
    newMessage: "message",
    presence: "message",
    roomOpened: "message",
    confirm: "question",
  });
}

const watched = new WeakSet();

/** Registers all handlers. Returns a function that removes them. */
function register(connection, handlers, methods) {
  const registered = Object.entries(methods).map(([name, kind]) => {
    if (typeof handlers[name] !== "function") {
      throw new TypeError(`the handler ${name} is missing`);
    }
    const answer = (...args) => handlers[name](...args);
    const receive = async (...args) => void (await handlers[name](...args));
    return [name, kind === "question" ? answer : receive];
  });
  registered.forEach(([name, handler]) => connection.on(name, handler));
  reportUnknown(connection, registered[0][0]);
  return () =>
    registered.forEach(([name, handler]) => connection.off(name, handler));
}

/**
 * Reports each method once that the server calls and no handler has had. The
 * client reports them only in its log, which is off by default. Its table of
 * handlers is private, so it is found by its content.
 */
function reportUnknown(connection, name) {
  const fields = Object.entries(connection);
  const isTable = ([, value]) => Array.isArray(value?.[name.toLowerCase()]);
  const [field, table] = fields.find(isTable) ?? [];
  const [, log] = fields.find(([, value]) => value?.log) ?? [];
  const isOff =
    log?.constructor.instance === log ||
    Object.values(log ?? {}).some((level) => level > 3);
  if (!field || !isOff || watched.has(connection)) {
    return;
  }
  watched.add(connection);
  const known = new Set(Object.keys(table));
  const report = (method) => {
    if (!known.has(method)) {
      known.add(method);
      console.warn(
        `The server called ${method}, which this page does not know. Generate its file again.`,
      );
    }
  };
  connection[field] = new Proxy(table, {
    get(handlers, method) {
      // `on` also reads a missing entry, and sets it then.
      if (typeof method === "string" && !handlers[method]) {
        Promise.resolve(method).then(report);
      }
      return handlers[method];
    },
    set(handlers, method, value) {
      known.add(method);
      handlers[method] = value;
      return true;
    },
  });
}
