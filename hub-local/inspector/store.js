// The events of the service, joined into rows: one row for each call of a client, and one for each other event.

/** The page keeps the newest rows within these bounds. */
export const MAX_ROWS = 10_000;
const MAX_CHARACTERS = 24_000_000;
/** A method can send any number of messages. Further ones are counted. */
const MAX_EVENTS_OF_A_ROW = 200;
/** A send that ran beside more calls than this has a row of its own. */
const MAX_CALLS_OF_A_SEND = 8;

const calls = new Map();
let rows = [];
let [characters, nextId, dropped, lastSeq, failures] = [0, 1, 0, 0, 0];

export const all = () => rows;
export const last = () => lastSeq;
export const counts = () => ({ rows: rows.length, dropped, failures });
export const findSeq = (seq) => rows.find((row) => row.events.some((event) => event.seq === seq));

const isFailure = (event) =>
  event.kind === "refused" ||
  (event.kind === "completion" && event.error !== undefined) ||
  (event.kind === "answer" && (event.cause !== undefined || event.status >= 300)) ||
  (event.kind === "negotiate" && event.status >= 400) ||
  (event.kind === "disconnected" && event.cause !== undefined);

/** No template for events of connections: an app may want messages only. */
const isUnwanted = ({ kind, cause }, { method }) =>
  kind === "answer" && method === undefined && ["no_template", "no_upstream"].includes(cause);

function newRow(event) {
  const row = {
    id: (nextId += 1),
    at: event.at,
    kind: event.kind,
    events: [],
    version: 0,
    size: 0,
    sends: 0,
    recipients: 0,
    failed: false,
    ended: false,
    unkept: 0,
    gone: false,
  };
  rows.push(row);
  return row;
}

function put(row, event, size) {
  row.version += 1;
  row.call ??= event.call;
  row.hub ??= event.hub;
  row.connection ??= event.connection;
  row.user ??= event.user;
  if (event.kind === "invocation") {
    row.kind = "invocation";
    row.method = event.method;
  } else if (event.kind === "upstream") {
    row.method ??= event.event;
    row.kind = row.kind === "answer" ? "upstream" : row.kind;
  } else if (event.kind === "connected" || event.kind === "disconnected") {
    row.kind = event.kind;
  } else if (event.kind === "send") {
    row.sends += 1;
    row.recipients += event.recipients ?? 0;
  } else if (event.kind === "completion") {
    row.ended = true;
    row.ms = event.ms;
  }
  if (event.kind === "answer") {
    row.answered = true;
    row.ms ??= event.ms;
  }
  if (isFailure(event) && !isUnwanted(event, row)) {
    failures += row.failed ? 0 : 1;
    row.failed = true;
  }
  if (row.events.length < MAX_EVENTS_OF_A_ROW || event.kind === "answer" || event.kind === "completion") {
    row.events.push(event);
    row.size += size;
    characters += size;
  } else {
    row.unkept += 1;
  }
}

/** Adds an event, given as JSON, and calls `changed` with each row that it changes. */
export function add(json, changed) {
  let event;
  try {
    event = JSON.parse(json);
  } catch {
    return; // a line that was cut when the connection broke; it comes again
  }
  if (event?.seq <= lastSeq) {
    return;
  }
  lastSeq = event.seq ?? lastSeq;
  const isOurs = event.via === "inspector"; // no call of a client caused it
  const joined = isOurs ? [] : (event.calls ?? (event.call === undefined ? [] : [event.call]));
  const known = joined.length > MAX_CALLS_OF_A_SEND ? [] : joined.map((call) => calls.get(call)).filter(Boolean);
  if (known.length === 0) {
    const row = newRow(event);
    if (event.call !== undefined) {
      calls.set(event.call, row);
    }
    known.push(row);
  }
  for (const row of known) {
    put(row, event, json.length);
    changed(row);
  }
  if (rows.length > MAX_ROWS * 1.1 || characters > MAX_CHARACTERS) {
    shrink();
  }
}

function shrink() {
  let end = Math.max(0, rows.length - MAX_ROWS);
  let kept = characters - rows.slice(0, end).reduce((sum, row) => sum + row.size, 0);
  while (kept > MAX_CHARACTERS * 0.9 && end < rows.length - 1) {
    kept -= rows[end].size;
    end += 1;
  }
  forget(rows.slice(0, end));
  rows = rows.slice(end);
  dropped += end;
}

function forget(old) {
  for (const row of old) {
    characters -= row.size;
    failures -= row.failed ? 1 : 0;
    row.gone = true;
    calls.delete(row.call);
  }
}

export function clear() {
  forget(rows);
  rows = [];
  dropped = 0;
}

/** The service was restarted: its numbers begin again. The rows from before stay. */
export function restarted(at) {
  calls.clear();
  lastSeq = 0;
  for (const row of rows) {
    row.before = true;
    row.version += 1;
  }
  put(newRow({ kind: "restarted", at }), { kind: "restarted", at }, 0);
}

/** The last event of a kind in a row. */
export const event = (row, kind) => row.events.findLast((it) => it.kind === kind);

/** The event that states why a row failed. */
export const failure = (row) => row.events.find((it) => isFailure(it) && it.fix) ?? row.events.findLast(isFailure);
