// What failed in the last days, and the sentence that each task failed with, which is in its log.

import { each, pages } from "./api.js";
import { el, moment, more, note, number, show, table } from "./dom.js";
import { failure } from "./logs.js";
import { isOurs, key, taskLink, vendorOf } from "./tasks.js";

const DAYS = 7;
const STATES = ["failed", "up_for_retry"];
const MOST_PAGES = 5; // of failures of any operator, at each click
const ROWS = 10;
const COLUMNS = ["When", "Vendor", "Task", "What it says"].map((title) => ({ title }));

const sentences = new Map(); // by task and try, which fail only once
let wanted = { rows: ROWS, pages: MOST_PAGES };

export async function refreshFailures() {
  const since = new Date(Date.now() - DAYS * 86_400_000).toISOString();
  const params = { state: STATES, end_date_gte: since, order_by: "-end_date" };
  const failed = new Map();
  let read = 0;
  let rest = 0;
  for await (const page of pages("dags/~/dagRuns/~/taskInstances", "task_instances", params)) {
    for (const task of page.items) if (isOurs(task)) failed.set(key(task), task);
    rest = page.total - page.reached;
    read += 1;
    if (read === wanted.pages) break;
  }
  const shown = [...failed.values()].slice(0, wanted.rows);
  await each(shown, learn);
  show("failures", contents(shown, failed.size, rest), number(failed.size));
}

async function learn(task) {
  if (sentences.has(key(task))) return;
  try {
    const found = await failure(task);
    sentences.set(key(task), found ?? { name: null, sentence: "Its log has no error: it may have been marked as failed by hand, or killed." });
  } catch (error) {
    // Shown now, and tried again at the next refresh.
    sentences.set(key(task), { name: null, sentence: `Its log cannot be read. ${error.message}`, isProblem: true });
  }
}

function contents(shown, total, rest) {
  const ways = [];
  if (total > shown.length) ways.push(more("Show more failures", () => widen({ rows: wanted.rows + ROWS })));
  if (rest > 0) ways.push(more(`Search ${number(rest)} older failures`, () => widen({ pages: wanted.pages + MOST_PAGES })));
  if (total === 0) return [note("None of the tasks that submit, wait for or export batches has failed. docs/troubleshooting.md of airflow-batch-provider explains each message."), ...ways];
  const rows = shown.map(row);
  for (const [name, { isProblem }] of sentences) if (isProblem) sentences.delete(name);
  return [table("Tasks that failed", COLUMNS, rows), ...ways];
}

function widen(more) {
  wanted = { ...wanted, ...more };
  document.getElementById("refresh").click();
}

function row(task) {
  const { name, sentence } = sentences.get(key(task));
  const retried = task.state === "up_for_retry" ? el("span", { class: "tag" }, "will be retried") : null;
  return [
    moment(task.end_date),
    vendorOf(task),
    taskLink(task),
    el("span", {}, name ? el("strong", {}, `${name}: `) : null, sentence, retried),
  ];
}
