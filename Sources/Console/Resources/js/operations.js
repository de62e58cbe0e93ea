// The queue of the operations centre: kept current, walked by keyboard, and heard.

import { setCityNow } from "./clock.js";
import { byId, setText, text, throttle } from "./dom.js";
import { startKeys } from "./keys.js";
import { refreshLive } from "./live.js";
import { tickClocks } from "./op-clock.js";
import { startOperationsMap } from "./op-map.js";
import { setAlarm, startSound } from "./sound.js";
import { followOperations } from "./op-stream.js";

const links = () => [...document.querySelectorAll(".op-link")];
let known = new Set(byId("queue").dataset.alarms.split(" ").filter(Boolean));

function hear() {
  const { alarms, severity } = byId("queue").dataset;
  const now = new Set((alarms ?? "").split(" ").filter(Boolean));
  const fresh = [...now].filter((id) => !known.has(id));
  if (fresh.length) {
    const row = document.querySelector(`.op-row[data-id="${CSS.escape(fresh[0])}"]`);
    const what = row?.querySelector(".op-title")?.textContent.trim() ?? "";
    setText(byId("say"), fresh.length > 1 ? text("jsNewAlarms", { n: fresh.length }) : text("jsNewAlarm", { what }));
  }
  known = now;
  setAlarm(severity ?? "");
  document.title = (now.size ? `(${now.size}) ` : "") + document.title.replace(/^\(\d+\) /, "");
}

const refresh = throttle(400, async () => {
  if (document.hidden) return;
  try {
    await refreshLive();
  } catch {
    return; // the sign of the stream tells that the server is away
  }
  tickClocks();
  hear();
});

function move(step) {
  const all = links();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

/** Acknowledges what has the focus, or else the first alarm. */
function acknowledge() {
  const row = document.activeElement?.closest?.(".op-row");
  const form = row ? row.querySelector(".op-act") : document.querySelector(".op-act");
  form?.querySelector("button").click();
}

startKeys({ j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), a: acknowledge });
startSound();
const view = startOperationsMap({
  onIncident: (id) => location.assign(`/operations/incidents/${encodeURIComponent(id)}`),
});
hear();
followOperations((now) => {
  setCityNow(now);
  refresh();
  view?.refresh();
});
// Targets run out without an event.
setInterval(refresh, 10000);
