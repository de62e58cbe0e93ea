// The line that says when something has changed in the operations centre.

import { setCityNow } from "./clock.js";
import { byId, setText, text } from "./dom.js";

const silentAfter = 15000;

/** Calls `onChange(now)` after each change, and when the line comes back. */
export function followOperations(onChange) {
  let source = null;
  let heard = Date.now();

  function show(state, message) {
    const sign = byId("stream");
    if (sign) sign.dataset.state = state;
    setText(byId("stream-text"), message);
  }

  function hear(event) {
    heard = Date.now();
    show("live", text("jsStreamLive"));
    const { now } = JSON.parse(event.data);
    setCityNow(now);
    return now;
  }

  function open() {
    if (source) return;
    source = new EventSource("/operations/events");
    source.addEventListener("tick", hear);
    source.addEventListener("refresh", (event) => onChange(hear(event)));
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) {
        show("down", text("jsStreamDown"));
        close();
        setTimeout(() => document.hidden || open(), 5000);
      } else {
        show("waiting", text("jsStreamWaiting"));
      }
    });
  }

  function close() {
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  setInterval(() => {
    const quiet = Date.now() - heard;
    if (source?.readyState === EventSource.OPEN && quiet > silentAfter) {
      show("stale", text("jsStreamStale", { n: Math.round(quiet / 1000) }));
    }
  }, 3000);
  if (!document.hidden) open();
}
