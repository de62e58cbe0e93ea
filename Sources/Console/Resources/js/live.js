// Parts of a page that the server makes anew when something has changed: whatever has `data-live` and an id.

import { byId } from "./dom.js";

/** Whether somebody is typing in it: what he has typed must not be lost. */
function isBusy(element) {
  const active = document.activeElement;
  if (element.contains(active) && active.matches("input, textarea, select")) return true;
  return [...element.querySelectorAll("input:not([type=hidden]), textarea")].some((field) => field.value !== field.defaultValue);
}

/** Reads the page again and takes over what differs; the focus stays where it was. Throws when the server cannot be reached. */
export async function refreshLive(address = location.href) {
  const answer = await fetch(address, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(30000) });
  if (answer.redirected && new URL(answer.url).pathname.startsWith("/oauth/")) return void location.reload();
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live][id]")) {
    const now = fresh.getElementById(old.id);
    if (!now || isBusy(old) || now.outerHTML === old.dataset.text) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const scroll = old.scrollTop;
    const text = now.outerHTML;
    old.replaceWith(now);
    now.dataset.text = text;
    now.scrollTop = scroll;
    if (focused?.id) byId(focused.id)?.focus({ preventScroll: true });
  }
  return fresh;
}
