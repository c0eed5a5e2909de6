// Generated from the hubs of the app: `typescript PATH --js`,
// or `HubApp::typescript` in code. The next run overwrites changes.
/* eslint-disable */

/** The methods of the hub. */
export interface ChatHub {
  /** The names of all rooms. `room_opened` reports each room that is opened later. */
  rooms(): Promise<string[]>;
  /** Returns the room's name in the spelling of its opening, because `room` may differ in case. */
  join(room: string): Promise<string>;
  /**
   * Sends a message and returns its length. With `notify`, the operators receive it too.
   *
   * @returns Integers beyond 2^53 are rounded.
   */
  sendMessage(
    room: string,
    text: string,
    notify?: boolean | null,
  ): Promise<number>;
  /** For moderators only. Asks the caller to confirm. */
  openRoom(room: string): Promise<boolean>;
}

/** Returns the methods of the hub `Chat` as functions. */
export declare function createChatHub(connection: HubCaller): ChatHub;

/** The methods that the hub `Chat` calls. */
export interface ChatClient {
  newMessage(message: NewMessage): void;
  presence(user: string, online: boolean): void;
  roomOpened(room: string): void;
  confirm(question: string): HubAnswer<boolean>;
}

/**
 * Registers a handler for each method that the hub `Chat` calls. Reconnects keep
 * them. The returned function removes them.
 */
export declare function registerChatClient(
  connection: HubReceiver,
  handlers: ChatClient,
): () => void;

/** One message in a room. */
export interface NewMessage {
  from: string;
  room: string;
  text: string;
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
