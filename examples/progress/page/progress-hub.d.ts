// Generated from the hubs of the app: `typescript PATH --js`,
// or `HubApp::typescript` in code. The next run overwrites changes.
/* eslint-disable */

/** The methods of the hub. */
export interface ProgressHub {
  /** Returns the current state. Pages call it after each connect and reconnect. */
  jobs(): Promise<Job[]>;
}

/** Returns the methods of the hub `Progress` as functions. */
export declare function createProgressHub(connection: HubCaller): ProgressHub;

/** The methods that the hub `Progress` calls. */
export interface ProgressClient {
  /** A job has started, progressed or ended. An update may arrive after a newer one. */
  progress(job: Job): void;
}

/**
 * Registers a handler for each method that the hub `Progress` calls. Reconnects keep
 * them. The returned function removes them.
 */
export declare function registerProgressClient(
  connection: HubReceiver,
  handlers: ProgressClient,
): () => void;

/** One job as a page sees it. */
export interface Job {
  /** Number of finished steps of `total`. Never decreases. */
  done: number;
  /** Integers beyond 2^53 are rounded. */
  id: number;
  name: string;
  total: number;
}

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
