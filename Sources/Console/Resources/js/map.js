// The map of the city.

import { byId, text, throttle } from "./dom.js";
import { makeRow } from "./rows.js";
import { addIcons } from "./map-icons.js";
import { colours, grid, mapStyle, recolour, stateNames } from "./map-style.js";
import { getJSON } from "./requests.js";

function positions(geometry) {
  if (!geometry) return [];
  if (geometry.geometries) return geometry.geometries.flatMap(positions);
  return geometry.coordinates.flat(Infinity).length ? pairs(geometry.coordinates) : [];
}

const pairs = (value) => (typeof value[0] === "number" ? [value] : value.flatMap(pairs));

function siteBounds(boundary, model, [longitude, latitude]) {
  const found = positions(boundary);
  if (found.length) {
    const longitudes = found.map((p) => p[0]);
    const latitudes = found.map((p) => p[1]);
    return [Math.min(...longitudes), Math.min(...latitudes), Math.max(...longitudes), Math.max(...latitudes)];
  }
  return model.bounds() ?? [longitude - 0.02, latitude - 0.015, longitude + 0.02, latitude + 0.015];
}

class SiteButton {
  constructor(action) {
    this.action = action;
  }
  onAdd() {
    this.element = document.createElement("div");
    this.element.className = "maplibregl-ctrl maplibregl-ctrl-group";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "site-button";
    button.title = text("jsSite");
    button.setAttribute("aria-label", text("jsSite"));
    button.textContent = "⌂";
    button.addEventListener("click", this.action);
    this.element.append(button);
    return this.element;
  }
  onRemove() {
    this.element.remove();
  }
}

/** Draws the model; `null` when the browser cannot. */
export function startMap(model) {
  const element = byId("map");
  if (!element || !globalThis.maplibregl) return null;
  const { maplibregl } = globalThis;
  maplibregl.setWorkerUrl(element.dataset.worker);
  const boundary = element.dataset.boundary ? JSON.parse(element.dataset.boundary) : null;
  const bounds = siteBounds(boundary, model, element.dataset.centre.split(",").map(Number));
  const site = { type: "FeatureCollection", features: [] };
  if (boundary) site.features.push({ type: "Feature", properties: {}, geometry: boundary });
  const sources = () => ({ grid: grid(bounds), site, ...model.collections() });
  const isSolid = () => [...model.shapes.values()].some((shape) => shape.height);
  let solid = isSolid();
  const options = { padding: 24, maxZoom: 16 };
  const view = () => ({ pitch: solid ? 36 : 0, bearing: 0 });
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let map;
  let touched = false;
  try {
    map = new maplibregl.Map({
      container: element, style: mapStyle(colours(), sources()), attributionControl: false, maxPitch: 70, minZoom: 3,
      fadeDuration: 0, bounds, fitBoundsOptions: { ...options, ...view() }, ...view(),
      locale: {
        "Map.Title": byId("map-title").textContent, "NavigationControl.ZoomIn": text("jsZoomIn"),
        "NavigationControl.ZoomOut": text("jsZoomOut"), "NavigationControl.ResetBearing": text("jsNorth"),
      },
    });
  } catch {
    const message = byId("map-message");
    message.textContent = text("jsMapFailed");
    message.hidden = false;
    return null;
  }
  addIcons(map, colours());
  map.addControl(new maplibregl.NavigationControl({ visualizePitch: true }), "top-right");
  const wholeSite = () => map.fitBounds(bounds, { ...options, ...view(), animate: !still });
  map.addControl(new SiteButton(wholeSite), "top-right");
  map.addControl(new maplibregl.ScaleControl({ unit: "metric" }), "bottom-right");
  listen(map, maplibregl);
  const draw = () => {
    addIcons(map, colours());
    recolour(map, colours());
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  printOnPaper(map, draw);
  const redraw = throttle(1000, () => {
    const { all, wrong, shapes } = model.collections();
    map.getSource("all")?.setData(all);
    map.getSource("wrong")?.setData(wrong);
    map.getSource("shapes")?.setData(shapes);
    // The buildings came after the map: tilt it, unless somebody has moved it.
    if (!solid && !touched && isSolid()) {
      solid = true;
      map.jumpTo(view());
    }
  });
  map.on("movestart", (event) => (touched ||= Boolean(event.originalEvent)));
  map.once("idle", () => (element.dataset.ready = "true"));
  return { redraw, map };
}

/**
 * Paper has colours and a width of its own. What WebGL draws while the browser prepares to print comes too late for the
 * paper, a plain canvas does not.
 */
function printOnPaper(map, draw) {
  const paper = document.createElement("canvas");
  paper.className = "map-paper";
  let zoom;
  matchMedia("print").addEventListener("change", ({ matches }) => {
    const drawn = map.getCanvas();
    const screen = [drawn.clientWidth, drawn.clientHeight];
    map.resize();
    // As much of the city as on the screen.
    const scale = Math.min(drawn.clientWidth / screen[0], drawn.clientHeight / screen[1], 1);
    if (matches) zoom = map.getZoom();
    map.jumpTo({ zoom: matches ? zoom + Math.log2(scale) : zoom });
    draw();
    if (!matches) return paper.remove();
    paper.width = drawn.width;
    paper.height = drawn.height;
    paper.getContext("2d").drawImage(drawn, 0, 0);
    drawn.after(paper);
  });
}

function listen(map, maplibregl) {
  const perState = (layer) => stateNames.map((name) => `${layer}-${name}`);
  const clickable = [
    "wrong", "points", "clusters", "clusters-stale", ...perState("buildings"), ...perState("areas"), ...perState("roads"),
  ];
  map.on("mousemove", (event) => {
    const over = map.queryRenderedFeatures(event.point, { layers: clickable }).length > 0;
    map.getCanvas().style.cursor = over ? "pointer" : "";
  });
  map.on("click", async (event) => {
    const { x, y } = event.point;
    const near = [[x - 8, y - 8], [x + 8, y + 8]];
    const found = map.queryRenderedFeatures(near, { layers: clickable });
    const feature = clickable.map((layer) => found.find((f) => f.layer.id === layer)).find(Boolean);
    if (!feature) return;
    if (feature.properties.cluster) {
      const zoom = await map.getSource("all").getClusterExpansionZoom(feature.properties.cluster_id);
      map.easeTo({ center: feature.geometry.coordinates, zoom: Math.min(zoom + 0.3, 19) });
      return;
    }
    const place = feature.geometry.type === "Point" ? feature.geometry.coordinates : event.lngLat;
    const answer = await getJSON(`/console/summary?id=${encodeURIComponent(feature.properties.id)}`).catch(() => null);
    if (!answer?.found) return;
    const list = document.createElement("ul");
    list.className = "rows";
    list.append(makeRow(answer.row));
    new maplibregl.Popup({ maxWidth: "300px", offset: 10 }).setLngLat(place).setDOMContent(list).addTo(map);
  });
}
