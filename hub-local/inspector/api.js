// The endpoints of the service. The token is in the fragment of the page's URL and in this module, and nowhere else:
// browsers do not send the fragment, and nothing is stored.

const base = new URL(".", import.meta.url).pathname; // /inspector/
/** A stream without a line for this time is broken: the service writes a comment every 15 s. */
const SILENT = 40_000;

let token = "";
export const setToken = (text) => (token = text);

/** A refusal of the service, or no answer at all (`status` 0). */
class ApiError extends Error {
  constructor(status, text, fix) {
    super(text);
    this.status = status;
    this.fix = fix;
  }
}

async function request(path, { signal, accept, body } = {}) {
  const headers = { Authorization: `Bearer ${token}` };
  if (accept) {
    headers.Accept = accept;
  }
  if (body) {
    headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(base + path, {
      method: body ? "POST" : "GET",
      headers,
      body: body && JSON.stringify(body),
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (signal?.aborted) {
      throw error;
    }
    throw new ApiError(0, "The service does not answer.", "Start the service, or look in its terminal.");
  }
  if (!answer.ok) {
    const { error, fix } = await answer.json().catch(() => ({}));
    throw new ApiError(answer.status, error ?? `The service answered with status ${answer.status}.`, fix);
  }
  return answer;
}

export const state = async (query) => (await request(`state?${new URLSearchParams(query)}`)).json();
export const act = async (body) => (await request("act", { body })).json();
export const clientAccess = async (body) => (await request("client", { body })).json();

/**
 * Reads the events after `after` until the stream ends, and calls `take` with each block of lines: the texts of the
 * events. The next block is read when `take` has resolved, so that a page that is behind slows the stream, and the
 * service counts what it leaves out.
 */
export async function events(after, signal, opened, take) {
  const silence = new AbortController();
  const answer = await request(`events?after=${after}`, {
    signal: AbortSignal.any([signal, silence.signal]),
    accept: "text/event-stream",
  });
  await opened(answer.headers.get("X-Inspector-Instance"));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const timer = setTimeout(() => silence.abort(), SILENT);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) {
      return;
    }
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    await take(lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5)));
  }
}
