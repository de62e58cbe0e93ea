// How the map looks: plain ground, a grid of meridians and parallels, the site, its roads and buildings, and what is
// live on it. No tiles, no sprite, no glyph files: MapLibre draws letters with the fonts of the system when a style
// names no glyphs.

export const states = ["alarm", "attention", "stale", "normal", "unknown"];

/** The colours of the page, so that the map is dark when the page is. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["alarm", "attention", "stale", "normal", "unknown", "map-ground", "map-site", "map-grid", "map-road",
    "map-building", "map-edge", "text", "panel"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

export const empty = () => ({ type: "FeatureCollection", features: [] });

/** What only some features of a layer have; a layer each, so that every colour is one value, which can be set at once. */
const judged = { alarm: 0, attention: 1, stale: 2 };
export const stateNames = [...Object.keys(judged), "other"];

function byState(c, otherwise, { id, filter, paint, ...rest }) {
  return stateNames.map((name) => ({
    id: `${id}-${name}`, ...rest, paint: paint(c[name] ?? otherwise),
    filter: ["all", filter, name === "other" ? [">", ["get", "state"], judged.stale] : ["==", ["get", "state"], judged[name]]],
  }));
}

const isMostlyStale = [">", ["get", "stale"], ["*", 0.5, ["get", "point_count"]]];

function clusters(c, id, condition, colour) {
  return {
    id, type: "circle", source: "all", filter: ["all", ["has", "point_count"], condition],
    paint: {
      "circle-color": c.panel, "circle-opacity": 0.72, "circle-stroke-opacity": 0.6, "circle-stroke-color": colour,
      "circle-stroke-width": 1.5,
      "circle-radius": ["interpolate", ["linear"], ["log10", ["get", "point_count"]], 0, 9, 1, 11, 2, 14, 3, 19],
    },
  };
}

const icon = ["match", ["get", "state"], 0, "alarm", 1, "attention", 2, "stale", 3, "normal", "unknown"];

const font = ["Noto Sans CJK KR", "Noto Sans", "sans-serif"];

export function mapStyle(c, sources) {
  return {
    version: 8,
    transition: { duration: 0, delay: 0 },
    light: { anchor: "viewport", intensity: 0.35, position: [1.2, 210, 35] },
    sources: {
      grid: { type: "geojson", data: sources.grid },
      site: { type: "geojson", data: sources.site },
      shapes: { type: "geojson", data: sources.shapes },
      wrong: { type: "geojson", data: sources.wrong },
      all: {
        type: "geojson", data: sources.all, cluster: true, clusterRadius: 64, clusterMaxZoom: 15,
        clusterProperties: { stale: ["+", ["case", ["==", ["get", "state"], 2], 1, 0]] },
      },
    },
    layers: layers(c),
  };
}

/**
 * Draws the map in other colours, at once: the browser waits for nothing before it prints.
 *
 * @param c what `colours()` gives.
 */
export function recolour(map, c) {
  for (const { id, paint } of layers(c)) {
    for (const [name, value] of Object.entries(paint ?? {})) map.setPaintProperty(id, name, value);
  }
  map.redraw();
}

function layers(c) {
  return [
    { id: "ground", type: "background", paint: { "background-color": c["map-ground"] } },
    { id: "site", type: "fill", source: "site", paint: { "fill-color": c["map-site"] } },
    { id: "grid", type: "line", source: "grid", paint: { "line-color": c["map-grid"], "line-width": 1 } },
    ...byState(c, c.normal, {
      id: "areas", type: "fill", source: "shapes", filter: ["==", ["get", "kind"], "area"],
      paint: (colour) => ({ "fill-color": colour, "fill-opacity": 0.22, "fill-outline-color": c["map-edge"] }),
    }),
    ...byState(c, c["map-road"], {
      id: "roads", type: "line", source: "shapes", filter: ["==", ["get", "kind"], "line"],
      layout: { "line-cap": "round", "line-join": "round" },
      paint: (colour) => ({
        "line-color": colour, "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], 11, 1, 14, 3.5, 18, 18],
      }),
    }),
    {
      id: "site-edge", type: "line", source: "site",
      paint: { "line-color": c["map-edge"], "line-width": 2, "line-dasharray": [3, 2], "line-opacity": 0.8 },
    },
    ...byState(c, c["map-building"], {
      id: "buildings", type: "fill-extrusion", source: "shapes", filter: ["==", ["get", "kind"], "building"],
      paint: (colour) => ({
        "fill-extrusion-color": colour, "fill-extrusion-height": ["get", "height"], "fill-extrusion-opacity": 0.85,
      }),
    }),
    clusters(c, "clusters", ["!", isMostlyStale], c.normal),
    clusters(c, "clusters-stale", isMostlyStale, c.stale),
    {
      id: "cluster-counts", type: "symbol", source: "all", filter: ["has", "point_count"],
      layout: {
        "text-field": ["get", "point_count_abbreviated"], "text-size": 11.5, "text-font": font,
        "text-allow-overlap": true, "text-ignore-placement": true,
      },
      paint: { "text-color": c.text },
    },
    {
      id: "points", type: "symbol", source: "all", filter: ["!", ["has", "point_count"]],
      layout: { "icon-image": icon, "icon-allow-overlap": true, "icon-ignore-placement": true },
    },
    {
      id: "wrong", type: "symbol", source: "wrong",
      layout: {
        "icon-image": icon, "icon-allow-overlap": true, "icon-ignore-placement": true, "icon-size": 1.3,
        "symbol-sort-key": ["-", 0, ["get", "state"]],
      },
    },
  ];
}

/** Meridians and parallels around a site, about ten across it. */
export function grid([west, south, east, north]) {
  const span = Math.max(east - west, north - south, 0.002);
  const step = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].find((s) => span / s <= 12) ?? 2;
  const far = 4 * span;
  const lines = [];
  for (let i = Math.floor((west - far) / step); i <= (east + far) / step; i++) {
    lines.push([[i * step, south - far], [i * step, north + far]]);
  }
  for (let i = Math.floor((south - far) / step); i <= (north + far) / step; i++) {
    lines.push([[west - far, i * step], [east + far, i * step]]);
  }
  return { type: "Feature", properties: {}, geometry: { type: "MultiLineString", coordinates: lines } };
}
