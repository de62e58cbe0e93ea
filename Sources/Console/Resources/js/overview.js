// What is wrong, and how many of each state: read again soon after a change.

import { byId, getJSON, setText, throttle } from "./dom.js";
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
  byId("wrong-none").hidden = view.wrongTotal > 0 || view.total === 0;
  byId("loading").hidden = view.phase !== "loading";
  byId("load-failed").hidden = view.phase !== "failed";
  const number = new Intl.NumberFormat("en");
  for (const [state, count] of Object.entries(view.states)) setText(byId(`count-${state}`), number.format(count));
  if (view.phase === "loading") refreshOverview();
}

export const refreshOverview = throttle(2000, read);

setInterval(refreshOverview, 30000);
