// The live stream of the city and the sign in the header that says how it is.

import { byId, setText, text } from "./dom.js";
import { setCityNow } from "./clock.js";
import { getJSON } from "./requests.js";

const silentAfter = 15000;

/**
 * Follows the city from a cursor on.
 *
 * `onChanges({changed, removed})` gets every change once; `onRefresh()` says that some were missed and what is shown
 * must be read again. While the page is hidden the line is closed, so that many open tabs do not take all the
 * connections a browser allows to one origin.
 */
export function follow(cursor, { onChanges = () => {}, onRefresh = () => {} } = {}) {
  let source = null;
  let last = cursor;
  let heard = Date.now();

  function show(state, message) {
    const sign = byId("stream");
    if (sign) sign.dataset.state = state;
    setText(byId("stream-text"), message);
  }

  function heardFrom(event) {
    heard = Date.now();
    if (event.lastEventId) last = event.lastEventId;
    show("live", text("jsStreamLive"));
    const data = JSON.parse(event.data);
    setCityNow(data.now);
    return data;
  }

  function open() {
    if (source) return;
    source = new EventSource(`/events?cursor=${encodeURIComponent(last)}`);
    source.addEventListener("tick", heardFrom);
    source.addEventListener("changes", (event) => onChanges(heardFrom(event)));
    source.addEventListener("refresh", (event) => {
      heardFrom(event);
      onRefresh();
    });
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

/** The place in the stream that is now. */
export async function currentCursor() {
  return (await getJSON("/console/cursor")).cursor;
}
