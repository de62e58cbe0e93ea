// The wall of cameras: what should be looked at may change, and nobody's eyes are led astray by it unasked.

import "./clock.js";
import { byId, throttle } from "./dom.js";
import { startKeys } from "./keys.js";
import { refreshLive } from "./live.js";
import { followOperations } from "./op-stream.js";
import { startCameras } from "./video.js";

const wall = document.querySelector(".wall");

const refresh = throttle(2000, async () => {
  if (document.hidden) return;
  const fresh = await refreshLive().catch(() => null);
  const order = fresh?.getElementById("wall")?.dataset.order;
  if (order !== undefined) byId("wall-changed").hidden = order === byId("wall").dataset.order;
});

startKeys();
startCameras(wall, wall.dataset.csrf);
byId("wall-again")?.addEventListener("click", () => location.reload());
followOperations(refresh);
setInterval(refresh, 10000);
