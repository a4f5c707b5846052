// The server: JSON and event streams, the key, and every failure as one line.

const KEY = "stepsolver-key";

/** What went wrong, in one line for the user; `status` is the HTTP status, 0 where no answer came. */
export class ServerError extends Error {
  constructor(line, status = 0) {
    super(line);
    this.status = status;
  }
}

/** Keeps the key for this tab only. */
export function useKey(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

export function hasKey() {
  return Boolean(sessionStorage.getItem(KEY));
}

async function send(path, body, signal, accept) {
  const key = sessionStorage.getItem(KEY);
  const headers = { Accept: accept, ...(key && { Authorization: `Bearer ${key}` }) };
  const options = { signal, headers };
  if (body !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server does not answer: is it still running?");
  }
  if (answer.ok) return answer;
  throw new ServerError(await whatFailed(answer), answer.status);
}

async function whatFailed(answer) {
  let line = "";
  try {
    line = (await answer.json()).error.message;
  } catch {
    line = `The server answered ${answer.status} ${answer.statusText}.`;
  }
  if (answer.status === 401 || answer.status === 403) {
    dispatchEvent(new Event("stepsolver-key-needed"));
  }
  const wait = answer.headers.get("Retry-After");
  return wait ? `${line} Try again in ${wait} s.` : line;
}

/** JSON from the server: a GET, or a POST where there is a `body`. */
export async function ask(path, body, signal) {
  const answer = await send(path, body, signal, "application/json");
  return answer.json();
}

/** Text from the server. */
export async function askText(path, body, signal) {
  const answer = await send(path, body, signal, "text/plain, */*");
  return answer.text();
}

/** Posts `body` and calls `onChunk` with each chunk of the event stream. */
export async function stream(path, body, signal, onChunk) {
  const answer = await send(path, body, signal, "text/event-stream");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServerError("The connection broke before the answer was there: ask again.");
    }
    if (piece.done) break;
    const lines = (rest + piece.value).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data:")) continue; // comments keep the connection alive
      const data = line.slice(5).trim();
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ServerError(chunk.error.message);
      onChunk(chunk);
    }
  }
  throw new ServerError("The connection ended before the answer was there: ask again.");
}
