// The city's clock: the server says what time it is there, this page goes on counting.

import { byId, setText, text } from "./dom.js";

const zone = document.body.dataset.timeZone;
let offset = Number(document.body.dataset.now) - Date.now();

export const cityNow = () => Date.now() + offset;

export function setCityNow(milliseconds) {
  if (Number.isFinite(milliseconds)) offset = milliseconds - Date.now();
}

const format = new Intl.DateTimeFormat("sv-SE", {
  timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
  second: "2-digit",
});

/** `2026-11-22 18:30:00` in the city's time zone. */
export const cityTime = (milliseconds) => format.format(new Date(milliseconds));

/** Milliseconds that the city's civil time is ahead of UTC at an instant. */
export function zoneOffset(milliseconds) {
  const whole = Math.floor(milliseconds / 1000) * 1000;
  return Date.parse(cityTime(whole).replace(" ", "T") + "Z") - whole;
}

export function age(milliseconds) {
  const seconds = (cityNow() - milliseconds) / 1000;
  const size = Math.abs(seconds);
  if (size < 60) return text(seconds < -5 ? "jsAgeSoon" : "jsAgeNow");
  const [unit, number] =
    size < 3600 ? ["Minutes", size / 60] : size < 172800 ? ["Hours", size / 3600] : ["Days", size / 86400];
  return text((seconds < 0 ? "jsIn" : "jsAge") + unit, { n: Math.floor(number) });
}

function tick() {
  setText(byId("clock"), cityTime(cityNow()));
}

function refreshAges() {
  for (const element of document.querySelectorAll("time[datetime].row-age, time[datetime].live-age")) {
    const at = Date.parse(element.dateTime);
    if (Number.isFinite(at)) setText(element, age(at));
  }
}

tick();
setInterval(tick, 1000);
setInterval(refreshAges, 20000);
