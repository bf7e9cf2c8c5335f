// Finds a sentence in a task's log. It is read as a stream, because a log may be long, and kept nowhere.

import { request } from "./api.js";
import { apiPath } from "./tasks.js";

const MOST_BYTES = 8 * 1024 * 1024;

/** Return the last line of a log that a function makes something of; null if there is none. */
async function last(task, read) {
  const answer = await request(
    `${apiPath(task)}/logs/${task.try_number}`,
    { map_index: task.map_index, full_content: true },
    "application/x-ndjson",
  );
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let found = null;
  let rest = "";
  for (let bytes = 0; bytes < MOST_BYTES; ) {
    const { done, value } = await reader.read();
    const lines = `${rest}${done ? "\n" : value}`.split("\n");
    rest = lines.pop();
    for (const line of lines) found = parsed(line, read) ?? found;
    if (done) return found;
    bytes += value.length;
  }
  await reader.cancel();
  return found;
}

function parsed(line, read) {
  try {
    return read(JSON.parse(line)) ?? null;
  } catch {
    return null;
  }
}

/** Return the sentence that a task failed with, and its exception's name. */
export const failure = (task) =>
  last(task, (entry) => {
    const [raised] = Array.isArray(entry.error_detail) ? entry.error_detail : [];
    if (raised) return { name: String(raised.exc_type), sentence: String(raised.exc_value) };
    return ["error", "critical"].includes(entry.level) ? { name: null, sentence: String(entry.event) } : null;
  });

/** Return what a wait logged last of its batch, and when. */
export const lastSeen = (task, vendor) =>
  last(task, (entry) =>
    entry.timestamp && String(entry.event).startsWith(`${vendor}: `)
      ? { at: entry.timestamp, sentence: String(entry.event).slice(vendor.length + 2) }
      : null,
  );
