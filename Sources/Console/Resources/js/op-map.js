// The operator's map: incidents above cameras, units and areas that are dangerous.

import { CityModel } from "./city-model.js";
import { byId, text, throttle } from "./dom.js";
import { marks } from "./op-marks.js";
import { colours, empty, grid } from "./map-style.js";
import { getJSON } from "./requests.js";

const layers = (c) => [
  { id: "ground", type: "background", paint: { "background-color": c["map-ground"] } },
  { id: "site", type: "fill", source: "site", paint: { "fill-color": c["map-site"] } },
  { id: "grid", type: "line", source: "grid", paint: { "line-color": c["map-grid"], "line-width": 1 } },
  { id: "roads", type: "line", source: "shapes", filter: ["==", ["get", "kind"], "line"], paint: { "line-color": c["map-road"], "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], 11, 1, 14, 3, 18, 14] } },
  { id: "buildings", type: "fill", source: "shapes", filter: ["==", ["get", "kind"], "building"], paint: { "fill-color": c["map-building"], "fill-opacity": 0.45 } },
  { id: "site-edge", type: "line", source: "site", paint: { "line-color": c["map-edge"], "line-width": 2, "line-dasharray": [3, 2] } },
  { id: "hazards", type: "fill", source: "hazards", paint: { "fill-color": c.alarm, "fill-opacity": 0.16 } },
  { id: "hazards-edge", type: "line", source: "hazards", paint: { "line-color": c.alarm, "line-width": 2, "line-dasharray": [2, 2] } },
  { id: "circles", type: "fill", source: "circles", paint: { "fill-color": c.text, "fill-opacity": 0.08 } },
  { id: "circles-edge", type: "line", source: "circles", paint: { "line-color": c.text, "line-width": 1, "line-opacity": 0.6 } },
  { id: "cameras", type: "symbol", source: "cameras", layout: { "icon-image": "camera", "icon-allow-overlap": true } },
  { id: "units", type: "symbol", source: "units", layout: { "icon-image": "unit", "icon-allow-overlap": true } },
  { id: "picked", type: "circle", source: "picked", paint: { "circle-radius": 9, "circle-color": c.alarm, "circle-stroke-width": 3, "circle-stroke-color": c.text } },
  {
    id: "incidents", type: "symbol", source: "incidents",
    layout: {
      "icon-image": ["concat", "sev-", ["to-string", ["get", "severity"]], ["case", ["get", "alarm"], "-alarm", ""]],
      "icon-allow-overlap": true, "icon-ignore-placement": true,
      "symbol-sort-key": ["+", ["get", "severity"], ["case", ["get", "alarm"], 10, 0]],
    },
  },
];

function bounds(boundary, [x, y], zoom) {
  const flat = boundary ? boundary.coordinates.flat(Infinity) : [];
  if (!flat.length || zoom) return [x - 0.004, y - 0.003, x + 0.004, y + 0.003];
  const [xs, ys] = [flat.filter((_, i) => i % 2 === 0), flat.filter((_, i) => i % 2 === 1)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Draws the map; `null` where there is none or the browser cannot. */
export function startOperationsMap({ onIncident = () => {}, onPick } = {}) {
  const element = byId("map");
  if (!element || !globalThis.maplibregl) return null;
  const { maplibregl } = globalThis;
  maplibregl.setWorkerUrl(element.dataset.worker);
  const boundary = element.dataset.boundary ? JSON.parse(element.dataset.boundary) : null;
  const centre = element.dataset.centre.split(",").map(Number);
  const box = bounds(boundary, centre, element.dataset.zoom);
  const site = { type: "FeatureCollection", features: boundary ? [{ type: "Feature", properties: {}, geometry: boundary }] : [] };
  const source = (data) => ({ type: "geojson", data });
  let ground = empty();
  const style = (c) => ({
    version: 8, transition: { duration: 0, delay: 0 },
    sources: {
      site: source(site), grid: source(grid(box)), picked: source(empty()), incidents: source(empty()), circles: source(empty()), shapes: source(ground),
      cameras: source(empty()), units: source(empty()), hazards: source(empty()),
    },
    layers: layers(c),
  });
  let map;
  try {
    map = new maplibregl.Map({
      container: element, style: style(colours()), attributionControl: false, fadeDuration: 0, bounds: box,
      fitBoundsOptions: { padding: 24, maxZoom: 16 },
      locale: { "Map.Title": byId("map-title").textContent, "NavigationControl.ZoomIn": text("jsZoomIn"), "NavigationControl.ZoomOut": text("jsZoomOut"), "NavigationControl.ResetBearing": text("jsNorth") },
    });
  } catch {
    const message = byId("map-message");
    message.textContent = text("jsMapFailed");
    message.hidden = false;
    return null;
  }
  marks(map);
  map.addControl(new maplibregl.NavigationControl(), "top-right");
  map.addControl(new maplibregl.ScaleControl({ unit: "metric" }), "bottom-right");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    map.setStyle(style(colours()), { diff: false });
    map.once("style.load", () => (marks(map), refresh()));
  });
  async function read() {
    const data = await getJSON(element.dataset.source).catch(() => null);
    if (!data) return;
    for (const [name, collection] of Object.entries(data)) map.getSource(name)?.setData(collection);
    element.dataset.incidents = data.incidents.features.length;
  }
  const refresh = throttle(1000, read);
  /** Streets and buildings do not move: they are read once. */
  async function readGround() {
    const data = await getJSON("/console/map").catch(() => null);
    if (!data) return;
    const model = new CityModel();
    model.load(data);
    ground = model.collections().shapes;
    map.getSource("shapes")?.setData(ground);
  }
  map.once("load", () => {
    refresh();
    if (element.dataset.city) readGround();
  });
  map.once("idle", () => (element.dataset.ready = "true"));
  map.on("click", (event) => {
    if (onPick) {
      return onPick(event.lngLat, (place) => map.getSource("picked").setData({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: place } }));
    }
    const [found] = map.queryRenderedFeatures(
      [[event.point.x - 12, event.point.y - 12], [event.point.x + 12, event.point.y + 12]], { layers: ["incidents"] });
    if (found) onIncident(found.properties.id);
  });
  map.on("mousemove", (event) => {
    map.getCanvas().style.cursor = onPick ? "crosshair" : map.queryRenderedFeatures(event.point, { layers: ["incidents"] }).length ? "pointer" : "";
  });
  return { map, refresh };
}
