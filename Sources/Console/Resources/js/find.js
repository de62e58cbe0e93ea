// Search with type and words: asks the server a moment after the last key, shows one page at a time.

import { byId, setText, text, throttle } from "./dom.js";
import { getJSON } from "./requests.js";
import { showRows } from "./rows.js";

const pageSize = 20;
let offset = 0;
let total = 0;
let running = null;

async function read() {
  running?.abort();
  running = new AbortController();
  const form = new FormData(byId("find"));
  const query = new URLSearchParams({ q: form.get("q"), type: form.get("type"), sort: "name", limit: pageSize, offset });
  const failed = byId("find-failed");
  try {
    const page = await getJSON(`/console/list?${query}`, running.signal);
    total = page.total;
    showRows(byId("find-rows"), page.rows);
    setText(byId("find-range"), page.text);
    byId("find-previous").disabled = offset === 0;
    byId("find-next").disabled = offset + page.rows.length >= total;
    failed.hidden = true;
  } catch (error) {
    if (error.name === "AbortError") return;
    setText(failed, text("jsListFailed"));
    failed.hidden = false;
    setTimeout(refreshFound, 5000);
  }
}

/** Reads the page that is shown again. */
export const refreshFound = throttle(3000, read);

export function startFind() {
  const form = byId("find");
  if (!form) return;
  let waiting = 0;
  const later = () => {
    offset = 0;
    clearTimeout(waiting);
    waiting = setTimeout(read, 250);
  };
  form.addEventListener("input", later);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    offset = 0;
    read();
  });
  const turn = (by) => {
    offset = Math.max(0, offset + by);
    read();
  };
  byId("find-previous").addEventListener("click", () => turn(-pageSize));
  byId("find-next").addEventListener("click", () => turn(pageSize));
  read();
}
