// Exports, which are asset events: their extra is the summary of what was exported.

import { pages } from "./api.js";

const MOST_NEW = 2000; // events at a click, of whatever asset

const byId = new Map();
let reached = 0; // how many of the newest events have been read
let total = null;

const isExport = ({ extra }) =>
  typeof extra?.destination === "string" && typeof extra.manifest === "string" && typeof extra.export_id === "string";

/** Read what is new and return all exports that are known, newest first, and how many older events are left. */
export async function refreshEvents() {
  if (total === null) return loadOlder();
  const before = total;
  for await (const page of eventPages(0)) {
    page.items.forEach(remember);
    const newer = Math.max(0, page.total - before);
    if (page.reached < newer) continue;
    reached += newer;
    total = page.total;
    break;
  }
  return known();
}

/** Read older events. */
export async function loadOlder() {
  const limit = reached + MOST_NEW;
  for await (const page of eventPages(reached)) {
    page.items.forEach(remember);
    reached = page.reached;
    total = page.total;
    if (reached >= limit) break;
  }
  return known();
}

const eventPages = (offset) => pages("assets/events", "asset_events", { order_by: "-timestamp" }, offset);

function remember(event) {
  if (isExport(event)) byId.set(event.id, event);
}

function known() {
  const exports = [...byId.values()].sort((a, b) => b.timestamp.localeCompare(a.timestamp) || b.id - a.id);
  // Several outlets of a task give an event each for the same export.
  const seen = new Set();
  const single = exports.filter(({ extra }) => !seen.has(extra.export_id) && seen.add(extra.export_id));
  return { exports: single, older: Math.max(0, (total ?? 0) - reached) };
}

/** Return what an export belongs to: the asset, which is the destination's root, and the task. */
export const series = (event) =>
  JSON.stringify([event.name ?? event.uri, event.source_dag_id, event.source_task_id, event.extra.listing]);

/** Return, by export, the one before it: of the same folder, or else of the same series. */
export function previous(exports) {
  const folders = new Map();
  const others = new Map();
  const before = new Map();
  for (const event of [...exports].reverse()) {
    const other = `${series(event)} ${event.source_map_index}`;
    before.set(event, folders.get(event.extra.destination) ?? others.get(other) ?? null);
    folders.set(event.extra.destination, event);
    others.set(other, event);
  }
  return before;
}

/** Return how many rows have which outcome; all of them as one where the export counts no outcomes. */
export function outcomes({ extra }) {
  const counts = Object.entries(extra.outcomes ?? {}).filter(([, count]) => Number.isFinite(count) && count > 0);
  return counts.length ? counts : [["rows", Number(extra.rows) || 0]];
}
