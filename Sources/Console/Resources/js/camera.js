// One camera: what it shows now, or a clip in its place.

import "./clock.js";
import { byId, text } from "./dom.js";
import { startKeys } from "./keys.js";
import { closeView, openView, startCameras } from "./video.js";

const page = document.querySelector(".camera-page");
const csrf = page.dataset.csrf;

startKeys();
startCameras(page, csrf);
byId("fault")?.focus();

for (const button of page.querySelectorAll("[data-clip]")) {
  button.addEventListener("click", async () => {
    const tile = page.querySelector(".cam");
    try {
      const view = await openView(tile.dataset.camera, tile.dataset.incident, csrf, button.dataset.clip);
      const video = document.createElement("video");
      video.controls = true;
      video.autoplay = true;
      video.muted = true;
      video.src = view.address;
      video.addEventListener("ended", () => closeView(view, csrf), { once: true });
      addEventListener("pagehide", () => closeView(view, csrf), { once: true });
      button.closest("li").querySelector("video")?.remove();
      button.closest("li").append(video);
    } catch (error) {
      const line = tile.querySelector(".cam-say");
      if (line) line.textContent = error.message || text("jsVideoBroken");
    }
  });
}
