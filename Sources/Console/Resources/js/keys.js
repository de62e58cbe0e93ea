// One key for each thing that can be done: a letter presses what carries it in `data-key`.

const typing = "input:not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]";

/** Keys of the page's own, beside those of its buttons: `{key: action}`. */
export function startKeys(own = {}) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && document.activeElement?.matches(typing)) return document.activeElement.blur();
    if (event.target.closest?.(typing)) return;
    // The same key of a keyboard that writes Hangul.
    const key = event.key.length === 1 && /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : event.key;
    const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (own[key]) own[key](event);
    else if (target) press(target);
    else return;
    event.preventDefault();
  });
}

/** Presses a button; a link to a part of the page leads to its first field. */
function press(target) {
  const href = target.getAttribute("href");
  if (!href?.startsWith("#")) return void target.click();
  location.hash = href;
  const part = document.getElementById(href.slice(1));
  (part?.querySelector("select, input:not([type=hidden]), textarea") ?? part)?.focus();
}
