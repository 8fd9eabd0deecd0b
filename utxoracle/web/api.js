// Questions to the server: each answer is kept with its ETag, and asked for again by it.

const TOKEN = "utxoracle-token";
const PATIENCE = 20_000;
const MOST_KEPT = 16;

const kept = new Map();
let serverAhead = 0;

// The server refused: `status` and `detail` are of its one shape of errors.
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
    this.detail = detail;
  }
}

// No answer came, or none that is the server's.
export class Unreachable extends Error {}

export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (text) => sessionStorage.setItem(TOKEN, text),
};

// The time by the server's clock: an age must not depend on how this machine's is set.
export const serverNow = () => Date.now() + serverAhead;

// Return {body, headers}; the body is the very same object where the answer is the one before.
// A status among `alsoFine` is an answer like any other: /health says 503 and means what it says.
export async function ask(path, alsoFine = []) {
  const before = kept.get(path);
  const response = await send(path, before ? { "If-None-Match": before.etag } : {});
  if (response.status === 304) {
    return before;
  }
  const body = await readJson(response);
  if (!response.ok && !alsoFine.includes(response.status)) {
    throw new Refused(response.status, body?.error?.detail ?? `status ${response.status}`);
  }
  if (body === undefined) {
    throw new Unreachable(`the answer at ${path} is not JSON`);
  }
  const answer = { body, headers: response.headers, etag: response.headers.get("ETag") };
  keep(path, answer);
  return answer;
}

// Return the response to a request whose body is not JSON.
export async function download(path) {
  const response = await send(path, {});
  if (!response.ok) {
    const body = await readJson(response);
    throw new Refused(response.status, body?.error?.detail ?? `status ${response.status}`);
  }
  return response;
}

async function send(path, headers) {
  const secret = token.get();
  if (secret) headers.Authorization = `Bearer ${secret}`;
  let response;
  try {
    response = await fetch(path, {
      headers, cache: "no-store", redirect: "error", signal: AbortSignal.timeout(PATIENCE),
    });
  } catch (failure) {
    throw new Unreachable(failure.message);
  }
  const date = Date.parse(response.headers.get("Date"));
  if (!Number.isNaN(date)) serverAhead = date - Date.now();
  return response;
}

async function readJson(response) {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

function keep(path, answer) {
  kept.delete(path);
  if (!answer.etag) return;
  kept.set(path, answer);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
}
