// Reads Airflow's REST API with the rights of the user who is logged in.

export const BASE = new URL("../", import.meta.url); // Airflow's own address, whatever path it lies below
const API = new URL("api/v2/", BASE);
const PAGE = 100; // Airflow gives no more by default

// Browsers send Airflow's cookie by themselves. The first releases of Airflow 3.1 take none: their UI keeps a token.
let login = {};

/** An answer that is an error; its message is a sentence for people. */
export class ApiError extends Error {
  constructor(status, detail) {
    super(
      {
        0: "Airflow cannot be reached.",
        401: "You are not logged in any more. Reload the page to log in.",
        403: "You may not see this: your role lacks the right to read it.",
      }[status] ?? `Airflow answered ${status}${typeof detail === "string" ? `: ${detail}` : "."}`,
    );
    this.status = status;
  }
}

/** Return a path of the API, with each part quoted. */
export const path = (strings, ...parts) => String.raw(strings, ...parts.map(encodeURIComponent));

/** Return the answer of the API as a response that may be streamed. */
export async function request(where, params = {}, accept = "application/json") {
  const url = new URL(where, API);
  for (const [name, values] of Object.entries(params)) {
    for (const value of [values].flat()) url.searchParams.append(name, value);
  }
  let answer = await send(url, { accept, ...login });
  const token = answer.status === 401 ? localStorage.getItem("token") : null;
  if (token) {
    login = { authorization: `Bearer ${token}` };
    answer = await send(url, { accept, ...login });
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new ApiError(answer.status, body.detail);
}

async function send(url, headers) {
  try {
    return await fetch(url, { headers, credentials: "same-origin" });
  } catch {
    throw new ApiError(0);
  }
}

export const get = async (where, params) => (await request(where, params)).json();

/** Yield pages of a listing from an offset on: its items, the offset behind them, and the total. */
export async function* pages(where, name, params, offset = 0) {
  for (let reached = offset; ; ) {
    const answer = await get(where, { ...params, limit: PAGE, offset: reached });
    reached += answer[name].length;
    yield { items: answer[name], reached, total: answer.total_entries };
    if (answer[name].length === 0 || reached >= answer.total_entries) return;
  }
}

/** Call a function for each item, a few at a time: Airflow has others to serve. */
export async function each(items, call, atOnce = 3) {
  const rest = [...items];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (rest.length) await call(rest.shift());
    }),
  );
}
