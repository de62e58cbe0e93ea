// The history of an entity's numbers, read from the city's NGSI-LD API (clauses 5.7.3, 4.5.9 and 4.5.19).

import { cityNow, zoneOffset } from "./clock.js";
import { getJSON } from "./requests.js";

const hour = 3600e3;
const spans = { hour, day: 24 * hour, week: 168 * hour, year: 8766 * hour, all: null };

/** The beginning of the city's day: periods of aggregation are counted from the instant that is asked from. */
function midnight(at) {
  const local = at + zoneOffset(at);
  return local - (((local % spans.day) + spans.day) % spans.day) - zoneOffset(at);
}

/** Most readings of one attribute that a page asks for. */
export const mostValues = 5000;

function address(base, attributes, begin, aggregated) {
  const from = aggregated ? midnight(begin ?? 0) : (begin ?? 0);
  const query = new URLSearchParams();
  query.set("attrs", attributes.join(","));
  query.set("timerel", "after");
  query.set("timeAt", new Date(from).toISOString());
  if (aggregated) {
    query.set("options", "aggregatedValues");
    query.set("aggrMethods", "avg,min,max");
    query.set("aggrPeriodDuration", "P1D");
  } else {
    query.set("options", "temporalValues");
    query.set("lastN", String(mostValues));
  }
  return `${base}?${query}`;
}

function readings(attribute) {
  return (attribute.values ?? [])
    .filter(([value, at]) => typeof value === "number" && Number.isFinite(Date.parse(at)))
    .map(([value, at]) => ({ at: Date.parse(at), value }))
    .sort((a, b) => a.at - b.at);
}

function means(attribute) {
  const by = new Map();
  for (const method of ["avg", "min", "max"]) {
    for (const [value, from] of attribute[method] ?? []) {
      if (typeof value === "number") by.set(from, { ...by.get(from), [method]: value });
    }
  }
  return [...by]
    .filter(([, found]) => found.avg !== undefined)
    .map(([from, { avg, min, max }]) => ({ at: Date.parse(from), value: avg, low: min ?? avg, high: max ?? avg }))
    .sort((a, b) => a.at - b.at);
}

/**
 * Reads a range of all attributes at once: a map from attribute IRI to its points, whether they are daily means, and
 * the range in milliseconds since 1970, without a beginning where all is asked for.
 * A year and more come as daily means; a hub that does not aggregate is asked for the readings instead.
 */
export async function readHistory(base, figures, range, signal) {
  const names = figures.map((figure) => figure.dataset.attribute);
  const to = cityNow();
  const from = spans[range] === null ? undefined : to - spans[range];
  let aggregated = range === "year" || range === "all";
  let answer;
  try {
    answer = await getJSON(address(base, names, from, aggregated), signal);
  } catch (error) {
    if (error.status === 404) return { points: new Map(), aggregated, from, to };
    if (!aggregated || !error.status) throw error;
    aggregated = false;
    answer = await getJSON(address(base, names, from, false), signal);
  }
  const points = new Map();
  for (const figure of figures) {
    const found = [answer[figure.dataset.attribute] ?? answer[figure.dataset.short] ?? {}].flat();
    const attribute = found.find((instance) => instance.datasetId === undefined) ?? found[0] ?? {};
    points.set(figure.dataset.attribute, aggregated ? means(attribute) : readings(attribute));
  }
  return { points, aggregated, from, to };
}
