// The table of exports.

import { el, moment, more, note, number, show, table } from "./dom.js";
import { outcomes, previous } from "./events.js";
import { listingTitle, taskLink } from "./tasks.js";

const ROWS = 25;
const COLUMNS = [
  { title: "When" },
  { title: "What" },
  { title: "Rows", number: true },
  { title: "Change", number: true },
  { title: "Outcomes" },
  { title: "Files", number: true },
  { title: "Where" },
  { title: "Task" },
];

let wanted = ROWS;

export function showExports({ exports, older }, loadOlder) {
  const before = previous(exports);
  const ways = [];
  const again = () => showExports({ exports, older }, loadOlder);
  if (exports.length > wanted) ways.push(more("Show more exports", () => ((wanted += ROWS), again())));
  if (older > 0) ways.push(more(`Load older exports (${number(older)} asset events)`, loadOlder));
  const content = exports.length
    ? [table("Exports", COLUMNS, exports.slice(0, wanted).map((event) => row(event, before.get(event))))]
    : [
        note(
          older
            ? "No export is among the newest asset events."
            : "Nothing has been exported yet. What an export operator exports is listed here; docs/exports.md of airflow-batch-provider shows how to use one.",
        ),
      ];
  show("exports", [...content, ...ways], exports.length ? `${number(exports.length)}${older ? "+" : ""}` : "");
}

function row(event, before) {
  const { extra } = event;
  return [
    moment(extra.finished_at) ?? moment(event.timestamp),
    listingTitle(extra.listing),
    number(extra.rows),
    change(extra.rows, before),
    counts(event),
    files(extra),
    el("span", { class: "code" }, extra.destination),
    event.source_dag_id
      ? taskLink({
          dag_id: event.source_dag_id,
          dag_run_id: event.source_run_id,
          task_id: event.source_task_id,
          map_index: event.source_map_index,
        })
      : null,
  ];
}

function change(rows, before) {
  if (!before || typeof rows !== "number" || typeof before.extra.rows !== "number") return "new";
  const by = rows - before.extra.rows;
  const title = `${number(before.extra.rows)} rows at the export before`;
  return el("span", { title, class: by < 0 ? "fewer" : null }, by > 0 ? `+${number(by)}` : by < 0 ? `−${number(-by)}` : "±0");
}

function counts(event) {
  const own = outcomes(event);
  const shown = own[0][0] === "rows" ? Object.entries(event.extra.status_counts ?? {}) : own;
  return el(
    "span",
    { class: "tags" },
    shown.map(([name, count]) => el("span", { class: `tag ${safe(name)}` }, `${number(count) ?? ""} ${name}`)),
  );
}

/** Return a class for the outcomes that we know; any other text of a vendor names no class. */
export const safe = (outcome) => (["ok", "partial", "failed", "missing", "skipped", "rows"].includes(outcome) ? outcome : "other");

function files(extra) {
  const parts = Number(extra.parts) || 0;
  const beside = Number(extra.files?.count) || 0;
  const bytes = (Number(extra.bytes) || 0) + (Number(extra.files?.bytes) || 0);
  const title = `parts: ${number(parts)}, files of items: ${number(beside)}, bytes: ${number(bytes)}`;
  return el("span", { title }, number(parts + beside));
}
