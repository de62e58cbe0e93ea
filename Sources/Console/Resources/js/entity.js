// The page of one entity: its history, and a word when it changes.

import "./clock.js";
import { byId, setText, text, throttle } from "./dom.js";
import { showChart, showTable } from "./chart.js";
import { mostValues, readHistory } from "./history.js";
import { getJSON } from "./requests.js";
import { currentCursor, follow } from "./stream.js";

const article = byId("entity");
const figures = [...document.querySelectorAll("figure.chart")];
let running = null;

const note = (message) => figures.forEach((figure) => setText(figure.querySelector(".chart-note"), message));

async function read() {
  if (figures.length === 0) return;
  running?.abort();
  running = new AbortController();
  const range = document.querySelector("#ranges input:checked").value;
  const slow = setTimeout(() => note(text("jsHistoryLoading")), 300);
  try {
    const { points, aggregated, ...span } = await readHistory(article.dataset.temporal, figures, range, running.signal);
    clearTimeout(slow);
    for (const figure of figures) show(figure, points.get(figure.dataset.attribute) ?? [], aggregated, span);
    article.dataset.history = range;
  } catch (error) {
    clearTimeout(slow);
    if (error.name !== "AbortError") note(text("jsHistoryFailed", { status: error.status ?? "–" }));
  }
}

function show(figure, points, aggregated, span) {
  const n = new Intl.NumberFormat("en").format(points.length);
  const key = points.length === 0 ? "jsHistoryEmpty"
    : aggregated ? "jsHistoryDaily" : points.length >= mostValues ? "jsHistoryCut" : "jsHistoryCount";
  setText(figure.querySelector(".chart-note"), text(points.length === 1 ? `${key}One` : key, { n }));
  // What is measured from 0 to 1 is read in percent.
  const scale = Number(figure.dataset.scale);
  const scaled = scale === 1 ? points : points.map(({ at, value, low, high }) => (
    { at, value: value * scale, ...(low === undefined ? {} : { low: low * scale, high: high * scale }) }));
  figure.redraw = () => showChart(figure, scaled, span);
  figure.redraw();
  showTable(figure, scaled);
}

async function showState() {
  const answer = await getJSON(`/console/summary?id=${encodeURIComponent(article.dataset.id)}`).catch(() => null);
  if (!answer?.found) return;
  const line = article.querySelector(".entity-state");
  line.querySelector(".mark").className = `mark mark-${answer.row.rowState}`;
  line.querySelector("strong").className = `state-${answer.row.rowState}`;
  setText(line.querySelector("strong"), answer.row.rowStateText);
  setText(line.querySelector("span:nth-of-type(2)"), answer.row.rowReading);
  setText(line.querySelector(".cause"), answer.row.rowCause);
  setText(line.querySelector("time"), answer.row.rowAge);
  line.querySelector("time").dateTime = answer.row.rowTime;
}

function sayChanged() {
  const notice = byId("changed");
  if (!notice.hidden) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text("jsReload");
  button.addEventListener("click", () => location.reload());
  notice.replaceChildren(`${text("jsChanged")} `, button);
  notice.hidden = false;
}

const changed = throttle(2000, showState);
const readAgain = throttle(30000, read);

byId("ranges")?.addEventListener("change", read);
// Paper and the other scheme have colours of their own.
for (const medium of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(medium).addEventListener("change", () => figures.forEach((figure) => figure.redraw?.()));
}
read();

function onChange() {
  changed();
  sayChanged();
  readAgain();
}

follow(await currentCursor().catch(() => ""), {
  onChanges({ changed: rows, removed }) {
    const id = article.dataset.id;
    if (rows.some((row) => row[0] === id) || removed.includes(id)) onChange();
  },
  onRefresh: onChange,
});
