// The replay of an incident, at any speed.

import "./clock.js";
import { byId } from "./dom.js";
import { startKeys } from "./keys.js";
import { refreshLive } from "./live.js";

const root = byId("replay");
const { path } = root.dataset;
const last = Number(root.dataset.last);
const waits = root.dataset.waits.split(" ").map(Number);
let step = Number(root.dataset.step);
let timer = 0;

const isPlaying = () => timer !== 0;

async function show(next) {
  step = Math.min(Math.max(next, 1), last);
  byId("replay-slider").value = step;
  const address = `${path}?step=${step}`;
  history.replaceState(null, "", address);
  await refreshLive(address).catch(() => {});
}

/** The time between two entries, by the speed; no longer than ten seconds, so that a night is not waited for. */
function play() {
  const speed = Math.max(Number(byId("replay-speed").value) || 1, 0.1);
  timer = setTimeout(async () => {
    await show(step + 1);
    if (step < last && isPlaying()) play();
    else stop();
  }, Math.min((waits[step - 1] ?? 0) / speed, 10000));
  byId("replay-play").setAttribute("aria-pressed", "true");
}

function stop() {
  clearTimeout(timer);
  timer = 0;
  byId("replay-play").setAttribute("aria-pressed", "false");
}

for (const element of document.querySelectorAll(".needs-script, #replay-play")) element.hidden = false;
byId("replay-play").addEventListener("click", () => {
  if (isPlaying()) return stop();
  if (step >= last) step = 0;
  play();
});
byId("replay-slider").addEventListener("input", (event) => (stop(), show(Number(event.target.value))));
for (const [id, by] of [["replay-back", -1], ["replay-forward", 1]]) {
  byId(id)?.addEventListener("click", (event) => {
    event.preventDefault();
    stop();
    show(step + by);
  });
}
startKeys({ ArrowRight: () => (stop(), show(step + 1)), ArrowLeft: () => (stop(), show(step - 1)) });
