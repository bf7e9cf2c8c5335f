// Which tasks are ours, and what Airflow says of them.

import { BASE, path } from "./api.js";
import { link } from "./dom.js";

const VENDORS = { playment: "TELUS/Playment", llamacloud: "LlamaCloud", talkifai: "TalkifAI" };

// Every operator has the rendered fields of its kind, in other packages' vendors and in users' subclasses too.
const FIELDS = [
  ["max_poll_failures", "stalled_after"],
  ["on_drift", "rows_per_part"],
  ["exports", "finished_outcomes"],
];
// What fails before its fields are rendered, and the operators that have none of these.
const NAMES = /^(Playment|LlamaCloud|TalkifAI)\w+(Operator|Sensor)$|^VerifyExportOperator$/;
const TRIGGERS = "airflow_batch_provider.";

const fieldsOf = (task) => task.rendered_fields ?? {};

export function isOurs(task) {
  const fields = fieldsOf(task);
  return (
    Boolean(task.trigger?.classpath?.startsWith(TRIGGERS)) ||
    NAMES.test(task.operator ?? "") ||
    FIELDS.some((names) => names.every((name) => name in fields))
  );
}

/** Return whether a task waits for a batch once it runs. */
export const isWait = (task) =>
  Boolean(task.trigger?.classpath?.startsWith(TRIGGERS)) || FIELDS[0].every((name) => name in fieldsOf(task));

const vendorTitle = (name) => (Object.hasOwn(VENDORS, name) ? VENDORS[name] : name);

/** Return a listing's name for people: its vendor, and what it lists. */
export function listingTitle(listing) {
  const [vendor, ...rest] = String(listing ?? "").split(".");
  return `${vendorTitle(vendor)} ${rest.join(".").replaceAll("_", " ")}`;
}

/** Return the vendor of a task, by the name of its connection's parameter. */
export function vendorOf(task) {
  const own = Object.keys(fieldsOf(task)).find(
    (name) => name.endsWith("_conn_id") && !/^(destination|exports|source)_/.test(name),
  );
  return own ? vendorTitle(own.slice(0, -"_conn_id".length)) : null;
}

export const key = (task) => [task.dag_id, task.dag_run_id, task.task_id, task.map_index, task.try_number].join("\n");

/** Return the path of a task in the API. */
export const apiPath = (task) => path`dags/${task.dag_id}/dagRuns/${task.dag_run_id}/taskInstances/${task.task_id}`;

/** Return a link to a task in Airflow's UI. */
export function taskLink({ dag_id, dag_run_id, task_id, map_index }, tab = "") {
  const mapped = map_index >= 0;
  const address = path`dags/${dag_id}/runs/${dag_run_id}/tasks/${task_id}` + (mapped ? `/mapped/${map_index}` : "") + tab;
  return link(new URL(address, BASE).href, `${dag_id} / ${task_id}${mapped ? ` [${map_index}]` : ""}`);
}
