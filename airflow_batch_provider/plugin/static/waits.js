// What is waited for right now: tasks that wait, and the XCom that each of them stores when it begins.

import { each, get, pages } from "./api.js";
import { el, link, moment, note, number, show, table } from "./dom.js";
import { lastSeen } from "./logs.js";
import { apiPath, isOurs, isWait, key, taskLink, vendorOf } from "./tasks.js";

const XCOM = "batch_provider_wait";
const STATES = ["deferred", "running", "up_for_reschedule"];
const MOST_PAGES = 20;
const MOST_ROWS = 50;
const LOG_EVERY = 120_000; // milliseconds
const COLUMNS = ["Vendor", "Batch", "Task", "Waiting since", "Last change seen", "Deadline"].map((title) => ({ title }));

const known = new Map(); // by task: what its XCom says, and what its log said last

export async function refreshWaits() {
  const waits = [];
  let read = 0;
  let rest = 0;
  const params = { state: STATES, order_by: "start_date" };
  for await (const page of pages("dags/~/dagRuns/~/taskInstances", "task_instances", params)) {
    waits.push(...page.items.filter((task) => isOurs(task) && isWait(task)));
    rest = page.total - page.reached;
    read += 1;
    if (read === MOST_PAGES) break;
  }
  const shown = waits.slice(0, MOST_ROWS);
  await each(shown, learn);
  const keys = new Set(shown.map(key));
  for (const old of known.keys()) if (!keys.has(old)) known.delete(old);
  show("waits", contents(shown, waits.length), `${number(waits.length)}${rest > 0 ? "+" : ""}`);
}

/** Read what is not known of a wait. A log or XCom that may not be read leaves its cells empty. */
async function learn(task) {
  const wait = known.get(key(task)) ?? { said: null, seen: null, problem: null, readAt: 0 };
  known.set(key(task), wait);
  const attempt = (promise) => promise.catch((error) => (error.status === 404 ? null : ((wait.problem = error.message), null)));
  if (wait.said === null) {
    const entry = await attempt(get(`${apiPath(task)}/xcomEntries/${XCOM}`, { map_index: task.map_index }));
    wait.said = said(entry?.value);
  }
  if (Date.now() - wait.readAt < LOG_EVERY) return;
  wait.readAt = Date.now();
  wait.seen = (await attempt(lastSeen(task, wait.said?.vendor ?? vendorOf(task)))) ?? wait.seen;
}

function said(value) {
  try {
    const content = typeof value === "string" ? JSON.parse(value) : value;
    return typeof content === "object" ? content : null;
  } catch {
    return null;
  }
}

function contents(shown, total) {
  if (total === 0) {
    return [note("No task is waiting for a batch. Sensors and Run operators are listed here while they wait; see docs/waiting.md of airflow-batch-provider.")];
  }
  const problems = new Set(shown.map((task) => known.get(key(task)).problem).filter(Boolean));
  return [
    ...(total > shown.length ? [note(`The ${shown.length} that have waited longest, of ${number(total)}.`)] : []),
    table("Batches that tasks wait for", COLUMNS, shown.map(row)),
    ...[...problems].map((problem) => note("Some cells are empty. ", problem)),
  ];
}

function row(task) {
  const { said, seen } = known.get(key(task));
  const batch = said?.batch_id === "*" ? "any of the project" : (said?.batch_id ?? batchOf(task));
  return [
    said?.vendor ?? vendorOf(task),
    batch ? link(said?.page, String(batch), { class: "code" }) : null,
    taskLink(task),
    moment(said?.since ?? task.start_date),
    seen ? el("span", {}, seen.sentence.replace(`${batch} has `, ""), ", ", moment(seen.at) ?? "") : null,
    deadline(said?.deadline),
  ];
}

function deadline(iso) {
  const time = moment(iso);
  if (time && new Date(iso) < Date.now()) time.classList.add("late");
  return time;
}

/** Return the batch that a task names, if it stored no XCom. */
function batchOf(task) {
  const fields = task.rendered_fields ?? {};
  return fields.batch_id ?? fields.job_id ?? fields.batch_job_id;
}
