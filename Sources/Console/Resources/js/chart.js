// One chart: a line of readings, or daily means with the band between the lowest and the highest.

import { cityTime, zoneOffset } from "./clock.js";
import { text } from "./dom.js";

/** City time on an axis that ECharts reads as UTC. */
const shifted = (at) => at + zoneOffset(at);

function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return { text: colour("text"), quiet: colour("quiet"), line: colour("line"), accent: colour("accent"),
    attention: colour("attention"), alarm: colour("alarm"), panel: colour("panel") };
}

function bounds(figure, c) {
  const line = (value, colour, name) => ({
    yAxis: Number(value), name, lineStyle: { color: colour, type: "dashed", width: 1.2 },
    label: { formatter: `${name} ${Number(value)}`, color: colour, position: "insideEndTop", fontSize: 11 },
  });
  const lines = [];
  if (figure.dataset.attention) lines.push(line(figure.dataset.attention, c.attention, text("jsAttentionLine")));
  if (figure.dataset.alarm) lines.push(line(figure.dataset.alarm, c.alarm, text("jsAlarmLine")));
  return lines;
}

function series(points, figure, c) {
  const main = {
    type: "line", showSymbol: points.length < 40, symbolSize: 5, sampling: "lttb", lineStyle: { width: 1.8 },
    itemStyle: { color: c.accent }, data: points.map((point) => [shifted(point.at), point.value]),
    markLine: { symbol: "none", silent: true, data: bounds(figure, c) }, z: 3,
  };
  if (!points.some((point) => point.low !== undefined)) return [main];
  const band = { type: "line", stack: "band", symbol: "none", lineStyle: { opacity: 0 }, silent: true, tooltip: { show: false } };
  return [
    { ...band, data: points.map((point) => [shifted(point.at), point.low]) },
    {
      ...band, areaStyle: { color: c.accent, opacity: 0.16 },
      data: points.map((point) => [shifted(point.at), point.high - point.low]),
    },
    main,
  ];
}

/** The axis is the range that was asked for, and as much longer as points lie outside it. */
function ends(points, { from, to }) {
  const first = points.length > 0 ? points[0].at : to;
  const last = points.length > 0 ? points[points.length - 1].at : to;
  return { min: shifted(Math.min(from ?? first, first)), max: shifted(Math.max(to, last)) };
}

/** Shows points `{at, value, low?, high?}` in a range `{from?, to}`, all in milliseconds since 1970. */
export function showChart(figure, points, span) {
  const canvas = figure.querySelector(".chart-canvas");
  if (!globalThis.echarts) {
    canvas.hidden = true;
    return;
  }
  const c = palette();
  const chart = globalThis.echarts.getInstanceByDom(canvas) ?? globalThis.echarts.init(canvas, null, { renderer: "canvas" });
  const unit = figure.dataset.unit;
  const label = { color: c.quiet, fontSize: 11 };
  chart.setOption({
    useUTC: true, animation: false, backgroundColor: "transparent",
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 8, right: 14, top: 22, bottom: 4, containLabel: true },
    xAxis: { type: "time", ...ends(points, span), axisLabel: { ...label, hideOverlap: true, formatter: { month: text("jsAxisMonth") } }, axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false } },
    yAxis: { type: "value", scale: true, axisLabel: label, splitLine: { lineStyle: { color: c.line, opacity: 0.6 } } },
    // Rich text is drawn on the canvas; the default tooltip is markup with inline styles.
    tooltip: {
      trigger: "axis", renderMode: "richText", confine: true, backgroundColor: c.panel, borderColor: c.line,
      textStyle: { color: c.text, fontSize: 12 },
      formatter(items) {
        const item = items[items.length - 1];
        const point = points[item.dataIndex];
        return point ? `${cityTime(point.at)}\n${Number(point.value.toPrecision(6))} ${unit}` : "";
      },
    },
    series: series(points, figure, c),
  }, { notMerge: true });
  // Before a print there is no next frame to draw in.
  chart.getZr().flush();
  if (!figure.observer) {
    figure.observer = new ResizeObserver(() => chart.resize());
    figure.observer.observe(canvas);
  }
}

const tableRows = 200;

/** The same values as a table, the newest first. */
export function showTable(figure, points) {
  const body = figure.querySelector("tbody");
  const rows = points.slice(-tableRows).reverse().map((point) => {
    const row = document.createElement("tr");
    for (const value of [cityTime(point.at), `${Number(point.value.toPrecision(8))} ${figure.dataset.unit}`]) {
      const cell = document.createElement("td");
      cell.textContent = value;
      row.append(cell);
    }
    return row;
  });
  body.replaceChildren(...rows);
}
