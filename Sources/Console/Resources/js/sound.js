// An alarm sounds until somebody has heard it. Each severity has its own number of tones, and can be muted on this screen.

import { byId, setText, text } from "./dom.js";

const store = "madang-muted";
const tones = { Extreme: [4, 880], Severe: [3, 740], Moderate: [2, 587], Minor: [1, 440], Unknown: [2, 587] };
const pause = 5000;
let context = null;
let wanted = "";

const muted = () => new Set(JSON.parse(localStorage.getItem(store) ?? "[]"));

function play(severity) {
  if (!context || context.state !== "running") return;
  const [count, pitch] = tones[severity] ?? tones.Unknown;
  for (let i = 0; i < count; i++) {
    const start = context.currentTime + i * 0.28;
    const [tone, gain] = [context.createOscillator(), context.createGain()];
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0.0001, start);
    gain.gain.exponentialRampToValueAtTime(0.3, start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.2);
    tone.connect(gain).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.22);
  }
  document.documentElement.dataset.sounded = severity;
}

function show() {
  const quiet = muted();
  for (const box of document.querySelectorAll("[name=sound]")) box.checked = !quiet.has(box.value);
  const state = !context || context.state !== "running" ? "jsSoundAsleep" : quiet.size ? "jsSoundSome" : "jsSoundOn";
  setText(byId("sound-state"), text(state));
}

/** Browsers let a page sound only after somebody has pressed something on it. */
async function wake() {
  context ??= new AudioContext();
  await context.resume();
  show();
}

/** The gravest alarm that nobody has heard; empty for none. */
export function setAlarm(severity) {
  const isNew = severity && severity !== wanted;
  wanted = severity;
  if (isNew && !muted().has(severity)) play(severity);
}

export function startSound() {
  document.addEventListener("pointerdown", wake, { once: true });
  document.addEventListener("keydown", wake, { once: true });
  for (const box of document.querySelectorAll("[name=sound]")) {
    box.addEventListener("change", () => {
      const quiet = muted();
      if (box.checked) quiet.delete(box.value);
      else quiet.add(box.value);
      localStorage.setItem(store, JSON.stringify([...quiet]));
      show();
    });
  }
  byId("sound-test")?.addEventListener("click", async () => {
    await wake();
    play("Severe");
  });
  setInterval(() => {
    if (wanted && !muted().has(wanted)) play(wanted);
  }, pause);
  show();
}
