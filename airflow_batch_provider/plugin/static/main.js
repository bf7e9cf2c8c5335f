// Refreshes the sections: each by itself, so that one that may not be read leaves the others alone.

import { el, note, show } from "./dom.js";
import { loadOlder, refreshEvents } from "./events.js";
import { showChart } from "./chart.js";
import { showExports } from "./exports.js";
import { refreshFailures } from "./failures.js";
import { refreshWaits } from "./waits.js";

const EVERY = 60_000; // milliseconds between the end of a refresh and the next one, while the page is looked at

const status = document.getElementById("refreshed");
const button = document.getElementById("refresh");
let timer = 0;
let isBusy = false;
let isWanted = false;
let drawn = ""; // which exports the chart shows

async function attempt(section, refresh) {
  try {
    await refresh();
  } catch (error) {
    const words = [error.status === undefined ? `This page failed: ${error.message}` : error.message];
    drawn = "";
    for (const name of section) show(name, [note(el("span", { class: "error", role: "alert" }, ...words))]);
  }
}

async function refresh() {
  if (isBusy) {
    isWanted = true;
    return;
  }
  clearTimeout(timer);
  isBusy = true;
  document.body.setAttribute("aria-busy", "true");
  do {
    isWanted = false;
    await attempt(["exports", "chart"], async () => showEvents(await refreshEvents()));
    await attempt(["waits"], refreshWaits);
    await attempt(["failures"], refreshFailures);
  } while (isWanted);
  isBusy = false;
  document.body.removeAttribute("aria-busy");
  status.textContent = `As of ${new Date().toLocaleTimeString("en", { hour12: false })}`;
  timer = setTimeout(onTime, EVERY);
}

function onTime() {
  // A page that nobody looks at asks nothing; it does when it is looked at again.
  if (document.hidden) document.addEventListener("visibilitychange", onTime, { once: true });
  else refresh();
}

function showEvents(known) {
  const latest = JSON.stringify([known.exports.length, known.exports[0]?.id]);
  if (latest !== drawn) showChart(known.exports); // else somebody may be choosing a destination
  drawn = latest;
  showExports(known, () => attempt(["exports"], async () => showEvents(await loadOlder())));
}

function followTheme() {
  const theme = localStorage.getItem("theme");
  const isDark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
}

addEventListener("storage", followTheme); // Airflow's UI keeps the choice there
followTheme();
button.addEventListener("click", refresh);
refresh();
