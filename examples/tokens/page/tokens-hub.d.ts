// Generated from the hubs of the app: `typescript PATH --js`,
// or `HubApp::typescript` in code. The next run overwrites changes.
/* eslint-disable */

/** The methods of the hub. */
export interface TokensHub {
  /**
   * Joins a room and returns its answers so far. A token of a running answer can arrive twice, with the
   * same index: in the result and in a message.
   */
  join(room: string): Promise<Answer[]>;
  leave(room: string): Promise<void>;
  /**
   * Asks the model and returns the id of the answer. All clients in the room receive the answer.
   *
   * @returns Integers beyond 2^53 are rounded.
   */
  ask(room: string, prompt: string): Promise<number>;
  /**
   * Stops an answer. Returns false if it has ended already. Any client may stop any answer.
   *
   * @param id - Integers beyond 2^53 are rounded.
   */
  cancel(id: number): Promise<boolean>;
}

/** Returns the methods of the hub `Tokens` as functions. */
export declare function createTokensHub(connection: HubCaller): TokensHub;

/** The methods that the hub `Tokens` calls. */
export interface TokensClient {
  /** A question in the room. The tokens of the answer follow. */
  asked(answer: Answer): void;
  /**
   * One token of an answer. `index` is its position in the answer. Tokens can arrive in any order.
   *
   * @param id - Integers beyond 2^53 are rounded.
   * @param index - Integers beyond 2^53 are rounded.
   */
  token(id: number, index: number, text: string): void;
  /**
   * The answer is complete.
   *
   * @param id - Integers beyond 2^53 are rounded.
   */
  done(id: number): void;
}

/**
 * Registers a handler for each method that the hub `Tokens` calls. Reconnects keep
 * them. The returned function removes them.
 */
export declare function registerTokensClient(
  connection: HubReceiver,
  handlers: TokensClient,
): () => void;

/** An answer, possibly incomplete. */
export interface Answer {
  done: boolean;
  /** Integers beyond 2^53 are rounded. */
  id: number;
  prompt: string;
  /** Tokens by index. */
  tokens: string[];
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
