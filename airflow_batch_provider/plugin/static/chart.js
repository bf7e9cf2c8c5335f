// Rows and outcomes of each export over time, a bar for each, of one destination.

import { el, note, number, show, svg } from "./dom.js";
import { outcomes, series } from "./events.js";
import { safe } from "./exports.js";
import { listingTitle } from "./tasks.js";

const MOST_BARS = 60;
const FEWEST_SLOTS = 24;
const ROOM = 8; // slots that two dates need
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [900, 220, 64, 24, 10];
const ORDER = ["rows", "ok", "partial", "skipped", "missing", "failed", "other"];

let chosen = null;

export function showChart(exports) {
  const groups = grouped(exports);
  if (groups.size === 0) return show("chart", [note("There is a bar for each export here, once there are exports.")]);
  if (!groups.has(chosen)) chosen = null;
  const name = chosen ?? [...groups.keys()].reduce((most, next) => (groups.get(next).length > groups.get(most).length ? next : most));
  const select = el(
    "select",
    { id: "destination", change: (event) => ((chosen = event.target.value), showChart(exports)) },
    [...groups].map(([key, [latest]]) => el("option", { value: key, selected: key === name }, title(latest))),
  );
  const bars = groups.get(name).slice(0, MOST_BARS).reverse();
  show("chart", [el("label", { for: "destination" }, "Destination ", select), legend(bars), drawing(bars, title(bars[0]))]);
}

function grouped(exports) {
  const groups = new Map();
  for (const event of exports) {
    const key = series(event);
    if (groups.has(key)) groups.get(key).push(event);
    else groups.set(key, [event]);
  }
  return groups;
}

const title = (event) =>
  `${listingTitle(event.extra.listing)} – ${event.name ?? event.uri} (${event.source_dag_id ?? "no DAG"} / ${event.source_task_id ?? "no task"})`;

/** Return the parts of a bar, in the legend's order. */
const partsOf = (event) =>
  outcomes(event)
    .map(([name, count]) => ({ name, count, kind: safe(name) }))
    .sort(inOrder);

const inOrder = (a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind);

function legend(bars) {
  const kinds = new Map(bars.flatMap(partsOf).sort(inOrder).map(({ name, kind }) => [name, kind]));
  return el("ul", { class: "legend" }, [...kinds].map(([name, kind]) => el("li", { class: kind }, name)));
}

function drawing(bars, label) {
  const sums = bars.map((event) => partsOf(event).reduce((sum, { count }) => sum + count, 0));
  const top = nice(Math.max(1, ...sums));
  const width = (WIDTH - LEFT) / Math.max(bars.length, FEWEST_SLOTS);
  const scale = (HEIGHT - BOTTOM - TOP) / top;
  const lines = [0, top / 2, top].map((value) => {
    const y = HEIGHT - BOTTOM - value * scale;
    return [
      svg("line", { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: "grid" }),
      svg("text", { x: LEFT - 8, y: y + 4, class: "axis end" }, number(value)),
    ];
  });
  const drawn = bars.map((event, place) => {
    let y = HEIGHT - BOTTOM;
    const rects = partsOf(event).map(({ count, kind }) => {
      y -= count * scale;
      return svg("rect", { x: LEFT + place * width + 1, y, width: Math.max(1, width - 2), height: count * scale, class: kind });
    });
    const words = partsOf(event).map(({ name, count }) => `${number(count)} ${name}`).join(", ");
    return svg("g", {}, svg("title", {}, `${date(event)}: ${words}`), ...rects);
  });
  const ends = [
    svg("text", { x: LEFT, y: HEIGHT - 6, class: "axis" }, date(bars[0])),
    bars.length >= ROOM
      ? svg("text", { x: LEFT + bars.length * width, y: HEIGHT - 6, class: "axis end" }, date(bars.at(-1)))
      : null,
  ];
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Rows of the last ${bars.length} exports: ${label}` },
    lines.flat(),
    drawn,
    ends,
  );
}

/** Return a round number that is not smaller and can be halved, for the axis. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 20].map((step) => step * power).find((top) => top >= value && top % 2 === 0);
}

const date = ({ extra, timestamp }) =>
  new Date(extra.finished_at ?? timestamp).toLocaleString("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
