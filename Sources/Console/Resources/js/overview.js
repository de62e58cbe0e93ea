// What is wrong, and how many of each state: read again soon after a change.

import { byId, setText, throttle } from "./dom.js";
import { getJSON } from "./requests.js";
import { showRows } from "./rows.js";

async function read() {
  if (document.hidden) return;
  let view;
  try {
    view = await getJSON("/console/overview");
  } catch {
    return; // the sign of the stream tells that the server is away; the next change or minute asks again
  }
  showRows(byId("wrong-rows"), view.rows);
  setText(byId("wrong-summary"), view.wrongSummary);
  setText(byId("newest"), view.newest);
  showTargets(view.indicators);
  byId("wrong-none").hidden = view.wrongTotal > 0 || view.total === 0;
  byId("loading").hidden = view.phase !== "loading";
  byId("load-failed").hidden = view.phase !== "failed";
  const number = new Intl.NumberFormat("en");
  for (const [state, count] of Object.entries(view.states)) setText(byId(`count-${state}`), number.format(count));
  if (view.phase === "loading") refreshOverview();
}

/** The list itself is the manifest's and stays; values, states and what is missing change. */
function showTargets(indicators) {
  const known = new Map([...document.querySelectorAll("#targets .target")].map((element) => [element.dataset.id, element]));
  for (const one of indicators) {
    const element = known.get(one.indicatorId);
    if (!element) continue;
    element.querySelector(".mark").className = `mark mark-${one.indicatorMark}`;
    element.querySelector(".target-state").className = `target-state state-${one.indicatorMark}`;
    setText(element.querySelector(".target-state"), one.indicatorStateText);
    setText(element.querySelector(".target-value"), one.indicatorValue);
    setText(element.querySelector(".target-gaps"), one.indicatorGaps);
  }
}

export const refreshOverview = throttle(2000, read);

setInterval(refreshOverview, 30000);
