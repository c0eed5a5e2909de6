// Generated from the hubs of the app: `typescript PATH --js`,
// or `HubApp::typescript` in code. The next run overwrites changes.
/* eslint-disable */

/** Returns the methods of the hub `Tokens` as functions. */
export function createTokensHub(connection) {
  return {
    join: (...args) => connection.invoke("join", ...args),
    leave: (...args) => connection.invoke("leave", ...args),
    ask: (...args) => connection.invoke("ask", ...args),
    cancel: (...args) => connection.invoke("cancel", ...args),
  };
}

/**
 * Registers a handler for each method that the hub `Tokens` calls. Reconnects keep
 * them. The returned function removes them.
 */
export function registerTokensClient(connection, handlers) {
  return register(connection, handlers, {
    asked: "message",
    token: "message",
    done: "message",
  });
}

/** Registers all handlers. Returns a function that removes them. */
function register(connection, handlers, methods) {
  const inherited = Object.prototype;
  const registered = Object.entries(methods).map(([name, kind]) => {
    if (
      typeof handlers[name] !== "function" ||
      handlers[name] === inherited[name]
    ) {
      throw new TypeError(`the handler ${name} is missing`);
    }
    const answer = (...args) => handlers[name](...args);
    const receive = async (...args) => void (await handlers[name](...args));
    return [name, kind === "question" ? answer : receive];
  });
  registered.forEach(([name, handler]) => connection.on(name, handler));
  try {
    reportUnknown(connection, registered[0][0]);
  } catch {
    // The report is optional, and another client may have other fields.
  }
  return () =>
    registered.forEach(([name, handler]) => connection.off(name, handler));
}

/**
 * Reports each method once that the server calls and no handler has had. The
 * client reports them only in its log, which is off by default. Its table of
 * handlers is private, so it is found by its content.
 */
function reportUnknown(connection, name) {
  // Several files may register handlers on one connection.
  const mark = Symbol.for("hub-runtime.reports");
  if (connection[mark]) {
    return;
  }
  const fields = Object.entries(connection);
  const isTable = ([, value]) => Array.isArray(value?.[name.toLowerCase()]);
  const [field, table] = fields.find(isTable) ?? [];
  const isLog = ([, value]) => typeof value?.log === "function";
  const [, log] = fields.find(isLog) ?? [];
  const isHigh = (level) => typeof level === "number" && level > 3;
  const isOff =
    (log && log.constructor?.instance === log) ||
    (log?.out?.warn && Object.values(log).some(isHigh));
  if (!field || !isOff) {
    return;
  }
  const known = new Set(Object.keys(table));
  let isRemoving = false;
  const report = (method) => {
    if (!known.has(method)) {
      known.add(method);
      console.warn(
        `The server called ${method}, which has no handler here. Generate the file again.`,
      );
    }
  };
  const { off } = connection;
  connection.off = (...args) => {
    isRemoving = true;
    try {
      off.apply(connection, args);
    } finally {
      isRemoving = false;
    }
  };
  connection[field] = new Proxy(table, {
    get(handlers, method) {
      // `on` also reads a missing entry, and sets it then.
      if (typeof method === "string" && !handlers[method] && !isRemoving) {
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
  connection[mark] = true;
}
