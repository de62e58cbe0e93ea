// Grants: the time that is left runs, and the lists of what waits stay current.

import { cityNow } from "./clock.js";
import { byId, setText, text } from "./dom.js";

const remaining = byId("remaining");
if (remaining) {
  const end = Date.parse(remaining.dateTime);
  const show = () => {
    const seconds = Math.floor((end - cityNow()) / 1000);
    // What is over is told by the page itself.
    if (seconds < 0) return void location.reload();
    const [key, values] =
      seconds >= 86400 ? ["jsLeftDays", { d: Math.floor(seconds / 86400), h: Math.floor(seconds / 3600) % 24 }]
      : seconds >= 3600 ? ["jsLeftHours", { h: Math.floor(seconds / 3600), m: Math.floor(seconds / 60) % 60 }]
      : ["jsLeftMinutes", { m: Math.floor(seconds / 60), s: seconds % 60 }];
    setText(remaining, text(key, values));
    setTimeout(show, 1000);
  };
  show();
}

const pause = 20000;

async function refresh() {
  const lists = byId("grant-lists");
  // Not while somebody reads it by keyboard: the place would be lost.
  if (!lists || document.hidden || lists.contains(document.activeElement)) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("grant-lists");
  if (fresh && fresh.innerHTML !== lists.innerHTML) lists.replaceWith(fresh);
}

if (byId("grant-lists")) setInterval(refresh, pause);
