// Generated from the hubs of the app: `typescript PATH --js`,
// or `HubApp::typescript` in code. The next run overwrites changes.
/* eslint-disable */

/** Returns the methods of the hub `Board` as functions. */
export function createBoardHub(connection) {
  return {
    draw: (...args) => connection.invoke("draw", ...args),
    clear: () => connection.invoke("clear"),
  };
}

/**
 * Registers a handler for each method that the hub `Board` calls. Reconnects keep
 * them. The returned function removes them.
 */
export function registerBoardClient(connection, handlers) {
  return register(connection, handlers, {
    drawn: "message",
    mayClear: "question",
  });
}

