// Generated from the hubs of the app: `typescript PATH --js`,
// or `HubApp::typescript` in code. The next run overwrites changes.
/* eslint-disable */

/** The methods of the hub. */
export interface CounterHub {
  add(step: number): Promise<void>;
}

/** Returns the methods of the hub `Counter` as functions. */
export declare function createCounterHub(connection: HubCaller): CounterHub;

/** The methods that the hub `Counter` calls. */
export interface CounterClient {
  /** @param value - Integers beyond 2^53 are rounded. */
  changed(value: number): void;
}

/**
 * Registers a handler for each method that the hub `Counter` calls. Reconnects keep
 * them. The returned function removes them.
 */
export declare function registerCounterClient(
  connection: HubReceiver,
  handlers: CounterClient,
): () => void;

/** A connection that calls hub methods: `HubConnection` of `@microsoft/signalr`. */
export interface HubCaller {
  invoke<T>(method: string, ...args: unknown[]): Promise<T>;
}

/** A connection that the server calls: `HubConnection` of `@microsoft/signalr`. */
export interface HubReceiver {
  on(method: string, handler: (...args: any[]) => unknown): void;
  off(method: string, handler: (...args: any[]) => unknown): void;
}

/** An answer to the server, now or later. It is never `undefined`. */
export type HubAnswer<T> = (T & ({} | null)) | Promise<T & ({} | null)>;
