// Clocks of incidents: ages count up, targets count down and turn red.

import { cityNow } from "./clock.js";
import { setText } from "./dom.js";

const two = (number) => String(number).padStart(2, "0");

export function clockText(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const sign = seconds <= -1 ? "-" : "";
  return hours ? `${sign}${hours}:${two(minutes)}:${two(rest)}` : `${sign}${minutes}:${two(rest)}`;
}

export function tickClocks() {
  const now = cityNow();
  for (const element of document.querySelectorAll(".op-clock")) {
    const { since, until } = element.dataset;
    if (since) setText(element, clockText((now - Date.parse(since)) / 1000));
    else if (until) {
      const left = (Date.parse(until) - now) / 1000;
      setText(element, clockText(left));
      element.classList.toggle("is-late", left < 0);
    }
  }
}

tickClocks();
setInterval(tickClocks, 1000);
