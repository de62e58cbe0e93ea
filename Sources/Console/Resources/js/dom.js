// What all modules share: the strings of the page, element look-up, pace.

const table = JSON.parse(document.body.dataset.strings || "{}");

/** The text of a key with {name} replaced. */
export function text(key, values = {}) {
  return (table[key] ?? key).replace(/\{([a-z]+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
}

export const byId = (id) => document.getElementById(id);

/** Sets a text only where it differs, so that live regions speak only of changes. */
export function setText(element, value) {
  if (element && element.textContent !== value) element.textContent = value;
}

/** Runs a task at most once in `pause` milliseconds, the last call never lost. */
export function throttle(pause, task) {
  let timer = 0;
  let last = 0;
  return () => {
    if (timer) return;
    const wait = Math.max(0, last + pause - Date.now());
    timer = setTimeout(() => {
      timer = 0;
      last = Date.now();
      task();
    }, wait);
  };
}
