// The city page: lists, map and live stream together.

import "./clock.js";
import { byId, throttle } from "./dom.js";
import { CityModel } from "./city-model.js";
import { startFind, refreshFound } from "./find.js";
import { startMap } from "./map.js";
import { refreshOverview } from "./overview.js";
import { getJSON } from "./requests.js";
import { follow } from "./stream.js";

const model = new CityModel();
let view = null;

async function read() {
  const data = await getJSON("/console/map");
  model.load(data);
  if (view) view.redraw();
  return data.cursor;
}

const readAgain = throttle(5000, () => read().catch(() => setTimeout(readAgain, 5000)));

async function start() {
  startFind();
  refreshOverview();
  let cursor = "";
  try {
    cursor = await read();
  } catch {
    readAgain();
  }
  follow(cursor, {
    onChanges(changes) {
      if (model.apply(changes)) view?.redraw();
      refreshOverview();
      refreshFound();
    },
    onRefresh() {
      readAgain();
      refreshOverview();
      refreshFound();
    },
  });
  view = startMap(model);
  byId("legend").addEventListener("change", (event) => {
    const state = Number(event.target.value);
    if (event.target.checked) model.shown.add(state);
    else model.shown.delete(state);
    view?.redraw();
  });
  // Readings grow stale without an event.
  setInterval(() => view?.redraw(), 30000);
}

start();
