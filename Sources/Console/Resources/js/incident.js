// One incident: what others do about it appears while it is looked at.

import "./clock.js";
import { byId, throttle } from "./dom.js";
import { startKeys } from "./keys.js";
import { refreshLive } from "./live.js";
import { tickClocks } from "./op-clock.js";
import { startOperationsMap } from "./op-map.js";
import { followOperations } from "./op-stream.js";
import { startCameras } from "./video.js";

// After a form was taken its result is told once.
if (new URLSearchParams(location.search).has("done")) history.replaceState(null, "", location.pathname + location.hash);

const refresh = throttle(700, async () => {
  if (document.hidden) return;
  await refreshLive().catch(() => {});
  tickClocks();
});

startKeys();
const sights = byId("sights");
if (sights) startCameras(sights, sights.dataset.csrf);
const view = startOperationsMap({
  onIncident: (id) => location.assign(`/operations/incidents/${encodeURIComponent(id)}`),
});
followOperations(() => {
  refresh();
  view?.refresh();
});
setInterval(refresh, 10000);
byId("fault")?.focus();
