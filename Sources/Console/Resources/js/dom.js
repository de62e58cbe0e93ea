// What all modules share: the strings of the page, element look-up, bounded requests.

const table = JSON.parse(document.body.dataset.strings || "{}");

/** The text of a key with {name} replaced. */
export function text(key, values = {}) {
  let result = table[key] ?? key;
  for (const [name, value] of Object.entries(values)) result = result.replace(`{${name}}`, String(value));
  return result;
}

export const byId = (id) => document.getElementById(id);

/** Sets a text only where it differs, so that live regions speak only of changes. */
export function setText(element, value) {
  if (element && element.textContent !== value) element.textContent = value;
}

/** JSON of an address of this origin; throws on any answer but 2xx. */
export async function getJSON(address, signal) {
  const timeout = AbortSignal.timeout(30000);
  const response = await fetch(address, {
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    headers: { Accept: "application/json" },
  });
  if (!response.ok) {
    const error = new Error(`${address}: ${response.status}`);
    error.status = response.status;
    throw error;
  }
  return response.json();
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
