const watched = new WeakSet<object>();

/** Registers all handlers. Returns a function that removes them. */
function register(
  connection: HubReceiver,
  handlers: object,
  methods: Record<string, "message" | "question">,
): () => void {
  const all = handlers as Record<string, (...args: unknown[]) => unknown>;
  const registered = Object.entries(methods).map(([name, kind]) => {
    if (typeof all[name] !== "function") {
      throw new TypeError(`the handler ${name} is missing`);
    }
    const answer = (...args: unknown[]) => all[name]!(...args);
    const receive = async (...args: unknown[]) =>
      void (await all[name]!(...args));
    return [name, kind === "question" ? answer : receive] as const;
  });
  registered.forEach(([name, handler]) => connection.on(name, handler));
  reportUnknown(connection, registered[0]![0]);
  return () =>
    registered.forEach(([name, handler]) => connection.off(name, handler));
}

/**
 * Reports each method once that the server calls and no handler has had. The
 * client reports them only in its log, which is off by default. Its table of
 * handlers is private, so it is found by its content.
 */
function reportUnknown(connection: any, name: string): void {
  const fields = Object.entries<any>(connection);
  const isTable = ([, value]: [string, any]) =>
    Array.isArray(value?.[name.toLowerCase()]);
  const [field, table] = fields.find(isTable) ?? [];
  const [, log] = fields.find(([, value]) => value?.log) ?? [];
  const isOff =
    log?.constructor.instance === log ||
    Object.values(log ?? {}).some((level: any) => level > 3);
  if (!field || !isOff || watched.has(connection)) {
    return;
  }
  watched.add(connection);
  const known = new Set(Object.keys(table));
  const report = (method: string) => {
    if (!known.has(method)) {
      known.add(method);
      console.warn(
        `The server called ${method}, which this page does not know. Generate its file again.`,
      );
    }
  };
  connection[field] = new Proxy(table, {
    get(handlers, method: string) {
      // `on` also reads a missing entry, and sets it then.
      if (typeof method === "string" && !handlers[method]) {
        Promise.resolve(method).then(report);
      }
      return handlers[method];
    },
    set(handlers, method: string, value) {
      known.add(method);
      handlers[method] = value;
      return true;
    },
  });
}
