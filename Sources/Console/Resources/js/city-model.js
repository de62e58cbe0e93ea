// What the map shows, by id, and the GeoJSON made of it.

import { cityNow } from "./clock.js";
import { empty } from "./map-style.js";

const stale = 2;
const alarm = 0;

export class CityModel {
  points = new Map();
  shapes = new Map();
  /** States that the legend lets through. */
  shown = new Set([0, 1, 2, 3, 4]);

  load(document) {
    this.points.clear();
    this.shapes.clear();
    for (const [id, type, lon, lat, state, staleAt] of document.points) {
      this.points.set(id, { type: document.types[type], lon, lat, state, staleAt });
    }
    for (const [id, type, geometry, height, state, staleAt] of document.shapes) {
      this.shapes.set(id, { type: document.types[type], geometry, height, state, staleAt });
    }
  }

  /** Takes changes in; says whether the map looks different now. */
  apply({ changed, removed }) {
    let visible = false;
    for (const [id, type, lon, lat, state, staleAt] of changed) {
      const shape = this.shapes.get(id);
      if (shape) {
        visible ||= this.state(shape) !== this.state({ state, staleAt });
        Object.assign(shape, { state, staleAt });
      } else if (lon !== null) {
        const point = this.points.get(id);
        const next = { type, lon, lat, state, staleAt };
        visible ||= !point || point.lon !== lon || point.lat !== lat || point.drawn !== this.state(next);
        next.drawn = point?.drawn;
        this.points.set(id, next);
      }
    }
    for (const id of removed) visible = this.points.delete(id) || this.shapes.delete(id) || visible;
    return visible;
  }

  /** The state with age, as the server has it: an alarm stays one, all else grows stale. */
  state({ state, staleAt }) {
    return state !== alarm && staleAt && staleAt * 1000 <= cityNow() ? stale : state;
  }

  collections() {
    const all = empty();
    const wrong = empty();
    const shapes = empty();
    for (const [id, point] of this.points) {
      const state = (point.drawn = this.state(point));
      if (!this.shown.has(state)) continue;
      (state <= 1 ? wrong : all).features.push({
        type: "Feature", geometry: { type: "Point", coordinates: [point.lon, point.lat] },
        properties: { id, state },
      });
    }
    for (const [id, { geometry, type, height, ...rest }] of this.shapes) {
      const kind = /Line/.test(geometry.type) ? "line" : height || type === "Building" ? "building" : "area";
      shapes.features.push({
        type: "Feature", geometry, properties: { id, kind, state: this.state(rest), height: height ?? 9 },
      });
    }
    return { all, wrong, shapes };
  }

  /** West, south, east, north of all points, without the farthest two in a hundred on each side. */
  bounds() {
    if (this.points.size === 0) return null;
    const range = (values) => {
      values.sort((a, b) => a - b);
      const cut = Math.floor(values.length * 0.02);
      return [values[cut], values[values.length - 1 - cut]];
    };
    const points = [...this.points.values()];
    const [west, east] = range(points.map((point) => point.lon));
    const [south, north] = range(points.map((point) => point.lat));
    return [west, south, east, north];
  }
}
