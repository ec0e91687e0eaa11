// From the data of a panel to an option of ECharts. Colours come from the page's tokens; nothing is decided here about data.
import { BarChart, CustomChart, LineChart, ScatterChart } from "echarts/charts";
import { AxisPointerComponent, GraphicComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { brief, measure, moment, tick } from "./format.js";

echarts.use([BarChart, CustomChart, LineChart, ScatterChart, AxisPointerComponent, GraphicComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent, CanvasRenderer]);
export { echarts };

const SYMBOLS = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond"];

/** The tokens as the browser resolves them now: `light-dark()` has no value until an element uses it. */
export function palette() {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.hidden = true;
  const read = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  const colours = {
    series: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => read(`s${n}`)),
    text: read("text"), muted: read("muted"), line: read("line"), edge: read("edge"), surface: read("surface"),
    good: read("fill-good"), warn: read("fill-warn"), bad: read("fill-bad"), accent: read("accent"),
    sans: getComputedStyle(document.body).fontFamily,
  };
  probe.remove();
  return colours;
}

function base(ink) {
  return {
    animation: false,
    useUTC: true,
    textStyle: { fontFamily: ink.sans, fontSize: 12, color: ink.muted },
    color: ink.series,
    grid: { left: 4, right: 12, top: 12, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    tooltip: {
      trigger: "axis", renderMode: "richText", confine: true, backgroundColor: ink.surface, borderColor: ink.line, borderWidth: 1,
      padding: [8, 10], textStyle: { color: ink.text, fontSize: 12, fontFamily: ink.sans, lineHeight: 16 },
      axisPointer: { type: "line", lineStyle: { color: ink.edge, type: "solid", width: 1 }, label: { show: false } },
    },
  };
}

function valueAxis(ink, extra = {}) {
  return {
    type: "value", axisLine: { show: false }, axisTick: { show: false }, splitNumber: 4,
    splitLine: { lineStyle: { color: ink.line } }, axisLabel: { color: ink.muted, fontSize: 12, formatter: tick }, ...extra,
  };
}

function flatAxis(ink, extra = {}) {
  return {
    axisLine: { lineStyle: { color: ink.edge }, onZero: false }, axisTick: { show: false }, splitLine: { show: false },
    axisLabel: { color: ink.muted, fontSize: 12, hideOverlap: true }, ...extra,
  };
}

const zeroLine = (ink, at, tone = null) => ({
  silent: true, symbol: "none", label: { show: false }, animation: false,
  data: at.map((value) => ({ yAxis: value, lineStyle: { color: tone ?? ink.edge, type: [3, 3], width: 1 } })),
});

/** One line a series in the tooltip: mark, name, figure with unit. */
function lines(points, columns) {
  return points
    .filter((point) => point.seriesIndex < columns.length && (Array.isArray(point.value) ? point.value[1] : point.value) !== null)
    .map((point) => {
      const column = columns[point.seriesIndex] ?? {};
      const value = Array.isArray(point.value) ? point.value[point.encode?.y?.[0] ?? 1] : point.value;
      return `${point.marker}${point.seriesName}  {v|${measure(value, column.unit, column.decimals ?? null)}}`;
    });
}
const rich = (ink) => ({ v: { fontWeight: 600, color: ink.text } });

function withTooltip(option, ink, head, columns) {
  option.tooltip.formatter = (points) => [`{t|${head(points[0])}}`, ...lines(points, columns)].join("\n");
  option.tooltip.textStyle.rich = { ...rich(ink), t: { color: ink.muted } };
  return option;
}

function timeLabels(rows) {
  const days = rows.length ? (new Date(rows.at(-1)[0]) - new Date(rows[0][0])) / 86_400_000 : 0;
  return { year: days > 300 ? "{yyyy}" : "{yyyy}-{MM}-{dd}", month: days > 90 ? "{yyyy}-{MM}" : "{MM}-{dd}", day: "{MM}-{dd}", hour: "{HH}:{mm}", minute: "{HH}:{mm}", second: "{HH}:{mm}:{ss}", millisecond: "{HH}:{mm}:{ss}", none: "{HH}:{mm}" };
}

/** A line with a hole where there was no value for so long, and the values that stand alone between two holes. */
function broken(points, gap) {
  if (!gap) return { line: points, alone: [] };
  const there = points.filter((point) => point[1] !== null && point[1] !== undefined);
  const apart = (one, other) => Date.parse(other[0]) - Date.parse(one[0]) > gap * 1000;
  const line = [];
  const alone = [];
  there.forEach((point, at) => {
    const begins = at === 0 || apart(there[at - 1], point);
    if (begins && at > 0) line.push([point[0], null]);
    line.push(point);
    if (begins && (at === there.length - 1 || apart(point, there[at + 1]))) alone.push(point);
  });
  return { line, alone };
}

export function timeseries(data, ink, size) {
  const columns = data.columns.slice(1);
  const option = base(ink);
  const direct = labelled(columns, size.width);
  const longest = Math.max(...columns.map((column) => column.label.length), 0);
  if (direct) option.grid.right = Math.min(160, 28 + longest * 7.2);
  const threshold = data.options?.threshold;
  const numbers = data.rows.flatMap((row) => row.slice(1)).filter((value) => value !== null);
  const crosses = Math.min(...numbers) < 0 && Math.max(...numbers) > 0;
  option.xAxis = flatAxis(ink, { type: "time", axisLabel: { color: ink.muted, hideOverlap: true, formatter: timeLabels(data.rows) }, splitNumber: Math.max(2, Math.floor(size.width / 130)) });
  option.yAxis = valueAxis(ink, { scale: true, minInterval: numbers.every(Number.isInteger) ? 1 : 0 });
  const many = data.rows.length > 60;
  const parts = columns.map((_, at) => broken(data.rows.map((row) => [row[0], row[at + 1]]), data.options?.gap_s));
  option.series = columns.map((column, at) => ({
    type: "line", name: column.label, data: parts[at].line, connectNulls: false,
    showSymbol: !many, symbol: "circle", symbolSize: 5, sampling: data.rows.length > 4000 ? "minmax" : undefined,
    lineStyle: { width: 2, type: at >= 4 ? [6, 3] : "solid", join: "round", cap: "round" },
    emphasis: { disabled: true },
    markLine: at === 0 ? zeroLine(ink, [...(crosses ? [0] : []), ...(threshold !== undefined && threshold !== null && threshold !== 0 ? [threshold] : [])]) : undefined,
  }));
  // A value alone between two gaps makes no line.
  if (many) option.series.push(...parts.map(({ alone }, at) => ({ type: "scatter", name: columns[at].label, data: alone, symbolSize: 5, silent: true, itemStyle: { color: ink.series[at % 8] } })).filter(({ data: points }) => points.length));
  if (!direct && columns.length > 1) legend(option, ink, columns, size.width);
  return withTooltip(option, ink, (point) => moment(point.value[0]), columns);
}

const LABEL_PX = 15;
const labelled = (columns, width) => columns.length > 1 && columns.length <= 8 && width >= 360;

/** Names at the ends of their lines, pushed apart where lines end close together, in the order of the lines. */
export function directLabels(chart, data, ink) {
  const columns = data.columns.slice(1);
  if (!labelled(columns, chart.getWidth())) return;
  const ends = columns.map((column, at) => {
    const row = data.rows.findLast((one) => one[at + 1] !== null && one[at + 1] !== undefined);
    return row && { column, colour: ink.series[at % 8], dashed: at >= 4, y: chart.convertToPixel({ yAxisIndex: 0 }, row[at + 1]) };
  }).filter(Boolean).sort((one, other) => one.y - other.y);
  const lowest = chart.getHeight() - 18 - LABEL_PX / 2;
  ends.forEach((end, at) => { end.at = Math.max(end.y, at ? ends[at - 1].at + LABEL_PX : 8); });
  for (let at = ends.length - 1, most = lowest; at >= 0; at -= 1, most = ends[at + 1].at - LABEL_PX) ends[at].at = Math.min(ends[at].at, most);
  const left = chart.getWidth() - Math.min(160, 28 + Math.max(...columns.map((column) => column.label.length)) * 7.2) + 10;
  chart.setOption({ graphic: { elements: ends.flatMap((end) => [
    { type: "rect", silent: true, shape: { x: left, y: end.at - 4, width: 8, height: 8, r: 1.5 }, style: { fill: end.dashed ? "transparent" : end.colour, stroke: end.colour, lineWidth: 1.5, lineDash: end.dashed ? [2, 1.5] : null } },
    { type: "text", silent: true, style: { x: left + 13, y: end.at, text: end.column.label, textVerticalAlign: "middle", verticalAlign: "middle", fill: ink.text, font: `500 12px ${ink.sans}` } },
  ]) } });
}

/** A legend that wraps as lines do; one that would take more than three lines is paged instead. */
function legend(option, ink, columns, width, symbols = null) {
  let lines = 1;
  let used = 0;
  for (const { label } of columns) {
    const item = 32 + label.length * 6.4;
    if (used && used + item > width) { lines += 1; used = 0; }
    used += item;
  }
  option.legend = {
    type: lines > 3 ? "scroll" : "plain", top: 0, left: 0, padding: [2, 0], itemWidth: 12, itemHeight: 8, itemGap: 14, textStyle: { color: ink.muted, fontSize: 12 },
    pageTextStyle: { color: ink.muted }, pageIconColor: ink.accent, pageIconSize: 10,
    data: columns.map(({ label }, at) => ({ name: label, icon: symbols ? symbols[at % symbols.length] : "roundRect" })),
  };
  option.grid.top = 20 + 20 * Math.min(lines, lines > 3 ? 1 : 3);
}

export function bar(data, ink, size) {
  const [category, ...columns] = data.columns;
  const { stacked = false, horizontal = false, highlight_last: last = false } = data.options ?? {};
  const option = base(ink);
  const name = (value) => (category.type === "time" ? moment(value).slice(0, 10) : String(value ?? "–"));
  const names = data.rows.map((row) => name(row[0]));
  const room = horizontal ? Math.min(size.width * 0.42, 220) : 110;
  const flat = flatAxis(ink, {
    type: "category", data: names, inverse: horizontal, axisLine: { lineStyle: { color: ink.edge }, onZero: true },
    axisLabel: { color: ink.muted, fontSize: 12, hideOverlap: true, width: room, overflow: "truncate", interval: horizontal ? 0 : "auto", ...(horizontal ? {} : { alignMinLabel: "left", alignMaxLabel: "right" }) },
  });
  const value = valueAxis(ink, { minInterval: columns.every((column) => (column.decimals ?? null) === 0) ? 1 : 0 });
  // Bars that hang from zero keep their names at the bottom, where people look for them.
  if (!horizontal) flat.axisLine.onZero = false;
  if (horizontal) Object.assign(value, { splitNumber: 3, axisLabel: { ...value.axisLabel, hideOverlap: true } });
  option.xAxis = horizontal ? value : flat;
  option.yAxis = horizontal ? flat : value;
  if (horizontal) option.grid.right = 56;
  else upright(option, flat, data, names, size);
  // With one series the last bar is the run that people came for; with several the last series is.
  const tone = (at) => (last && columns.length === 2 ? [ink.series[7], ink.series[6]][at] : ink.series[at % 8]);
  option.series = columns.map((column, at) => ({
    type: "bar", name: column.label, stack: stacked ? "all" : undefined, barMaxWidth: horizontal ? 18 : 28, barGap: "12%", barCategoryGap: horizontal ? "30%" : "34%",
    emphasis: { disabled: true },
    itemStyle: { color: tone(at), borderRadius: stacked ? 0 : 1, decal: undefined },
    label: horizontal && !stacked && columns.length === 1 ? { show: true, position: "right", color: ink.text, fontSize: 12, formatter: (point) => brief(point.value, column.decimals ?? null) } : undefined,
    data: data.rows.map((row, index) => {
      const item = { value: row[at + 1] };
      if (last && columns.length === 1 && index === data.rows.length - 1) item.itemStyle = { color: ink.series[6] };
      return item;
    }),
  }));
  if (columns.length > 1) legend(option, ink, columns, size.width);
  option.tooltip.axisPointer = { type: "shadow", shadowStyle: { color: ink.line, opacity: 0.4 } };
  return withTooltip(option, ink, (point) => point.axisValueLabel ?? point.name, columns);
}

/** Room for the names below upright bars: all of them where they are few, on two lines where they are long. */
function upright(option, flat, data, names, size) {
  const figures = data.rows.flatMap((row) => row.slice(1)).filter((one) => one !== null);
  // The axis ends at a round figure beyond the data, which may have a digit more.
  const ends = [Math.max(0, ...figures), Math.min(0, ...figures)].map((one) => tick(Number((one * 1.25).toPrecision(1))).length);
  const left = 14 + Math.max(3, ...ends) * 6.6;
  const slot = (size.width - left - 8) / Math.max(1, names.length);
  const few = names.length <= 8 && slot >= 40;
  const long = few && names.some((one) => one.length * 6.4 > slot - 4);
  option.grid = { ...option.grid, left, right: 8, bottom: long ? 36 : 22, outerBoundsMode: "none" };
  if (few) Object.assign(flat.axisLabel, { interval: 0, width: slot - 4, overflow: "break", lineHeight: 14, hideOverlap: false, alignMinLabel: "center", alignMaxLabel: "center" });
}

export function histogram(data, ink, size) {
  const columns = data.columns.slice(2);
  const zero = data.options?.zero;
  const option = base(ink);
  option.xAxis = flatAxis(ink, { type: "value", scale: true, min: data.rows[0]?.[0], max: data.rows.at(-1)?.[1], axisLabel: { color: ink.muted, hideOverlap: true, formatter: tick, showMinLabel: false, showMaxLabel: false } });
  option.yAxis = valueAxis(ink, { minInterval: 1 });
  const heights = data.rows.map((row) => row.slice(2));
  const tone = (at, row) => (columns.length > 1 ? ink.series[at % 8] : zero !== undefined && zero !== null && row[1] <= zero ? ink.bad : ink.series[0]);
  option.series = columns.map((column, at) => ({
    type: "custom", name: column.label, encode: { x: [0, 1], y: 3 }, itemStyle: { color: ink.series[at % 8] },
    data: data.rows.map((row, index) => [row[0], row[1], heights[index].slice(0, at).reduce((sum, one) => sum + (one ?? 0), 0), row[at + 2]]),
    renderItem(parameters, api) {
      const from = api.value(2);
      const [left, top] = api.coord([api.value(0), from + api.value(3)]);
      const [right, bottom] = api.coord([api.value(1), from]);
      const gap = right - left > 6 ? 1 : 0;
      return { type: "rect", shape: { x: left + gap / 2, y: top, width: Math.max(1, right - left - gap), height: Math.max(0, bottom - top) }, style: { fill: tone(at, data.rows[parameters.dataIndex]) } };
    },
    markLine: at === 0 && zero !== undefined && zero !== null ? { silent: true, symbol: "none", label: { show: false }, data: [{ xAxis: zero, lineStyle: { color: ink.edge, type: [3, 3] } }] } : undefined,
  }));
  if (columns.length > 1) legend(option, ink, columns, size.width);
  option.tooltip = {
    ...option.tooltip, trigger: "item", textStyle: { ...option.tooltip.textStyle, rich: { ...rich(ink), t: { color: ink.muted } } },
    formatter: ({ value, seriesName }) => `{t|${measure(value[0], data.columns[0].unit)} to ${measure(value[1], data.columns[1].unit)}}\n${seriesName}  {v|${measure(value[3])}}`,
  };
  return option;
}

/** Widen the narrower axis so that a micrometre is as long across as it is up. */
function squared(box, width, height) {
  const [x1, y1, x2, y2] = box;
  const perPixel = Math.max((x2 - x1) / width, (y2 - y1) / height) || 1;
  const moreX = (width * perPixel - (x2 - x1)) / 2;
  const moreY = (height * perPixel - (y2 - y1)) / 2;
  return [x1 - moreX, y1 - moreY, x2 + moreX, y2 + moreY];
}

function extent(rows, boxed) {
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const row of rows) {
    const far = boxed ? [row[2], row[3]] : row;
    x1 = Math.min(x1, row[0], far[0]); x2 = Math.max(x2, row[0], far[0]);
    y1 = Math.min(y1, row[1], far[1]); y2 = Math.max(y2, row[1], far[1]);
  }
  const padX = (x2 - x1 || 1) * 0.04;
  const padY = (y2 - y1 || 1) * 0.04;
  return [x1 - padX, y1 - padY, x2 + padX, y2 + padY];
}

const GAP = 9;
/** The mark of a category, so that colour is not alone. */
function mark(symbol, x, y) {
  const r = 3.5;
  const shape = symbol.replace("empty", "").toLowerCase();
  if (shape === "rect") return { type: "rect", shape: { x: x - r, y: y - r, width: 2 * r, height: 2 * r } };
  if (shape === "triangle") return { type: "polygon", shape: { points: [[x, y - r - 1], [x + r + 0.5, y + r], [x - r - 0.5, y + r]] } };
  if (shape === "diamond") return { type: "polygon", shape: { points: [[x, y - r - 1], [x + r + 1, y], [x, y + r + 1], [x - r - 1, y]] } };
  return { type: "circle", shape: { cx: x, cy: y, r } };
}

export function scatter(data, ink, size) {
  const numbers = data.columns.filter((column) => column.type === "number").length;
  const boxed = numbers >= 4;
  const at = data.columns.findIndex((column, index) => index >= 2 && column.type !== "number");
  const rows = data.rows.filter((row) => row[0] !== null && row[1] !== null);
  const groups = new Map();
  for (const row of rows) {
    const name = at < 0 ? data.columns[1].label : String(row[at] ?? "–");
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  const option = base(ink);
  if (groups.size > 1) legend(option, ink, [...groups.keys()].map((label) => ({ label })), size.width, SYMBOLS);
  option.grid = { ...option.grid, left: 52, right: GAP * 2, bottom: 38, outerBoundsMode: "none" };
  let box = extent(rows, boxed);
  if (data.options?.equal_aspect) box = squared(box, size.width - option.grid.left - option.grid.right, size.height - option.grid.top - option.grid.bottom);
  const label = (name, unit) => ({ name: name ?? "", nameLocation: "middle", nameTextStyle: { color: ink.muted, fontSize: 12 }, nameGap: unit });
  const round = (value) => tick(Number(value.toPrecision(4)));
  option.xAxis = { ...valueAxis(ink), min: box[0], max: box[2], ...label(data.options?.x_label ?? data.columns[0].label, 24), axisLine: { show: true, onZero: false, lineStyle: { color: ink.edge } }, axisLabel: { color: ink.muted, formatter: round, showMinLabel: false, showMaxLabel: false, hideOverlap: true } };
  option.yAxis = { ...valueAxis(ink), min: box[1], max: box[3], ...label(data.options?.y_label ?? data.columns[1].label, 38), axisLine: { show: true, onZero: false, lineStyle: { color: ink.edge } }, axisLabel: { color: ink.muted, formatter: round, showMinLabel: false, showMaxLabel: false } };
  option.series = [...groups].map(([name, points], index) => ({
    name, type: boxed ? "custom" : "scatter", symbol: SYMBOLS[index % 8], symbolSize: points.length > 2000 ? 4 : 7, large: !boxed && points.length > 5000,
    itemStyle: { color: ink.series[index % 8], opacity: 0.85 }, emphasis: { disabled: true }, data: points, encode: boxed ? { x: [0, 2], y: [1, 3] } : { x: 0, y: 1 },
    renderItem: boxed ? (parameters, api) => {
      const [left, bottom] = api.coord([api.value(0), api.value(1)]);
      const [right, top] = api.coord([api.value(2), api.value(3)]);
      const style = { fill: ink.series[index % 8], opacity: 0.85 };
      const drawn = index % 8 >= 4 ? { fill: ink.surface, stroke: style.fill, lineWidth: 1.5 } : style;
      if (right - left < 6 && bottom - top < 6) return { ...mark(SYMBOLS[index % 8], (left + right) / 2, (top + bottom) / 2), style: drawn };
      return { type: "rect", shape: { x: left, y: top, width: Math.max(2, right - left), height: Math.max(2, bottom - top) }, style: { ...style, fill: ink.series[index % 8], opacity: 0.55, stroke: ink.series[index % 8], lineWidth: 1 } };
    } : undefined,
  }));
  option.tooltip = {
    ...option.tooltip, trigger: "item", textStyle: { ...option.tooltip.textStyle, rich: { ...rich(ink), t: { color: ink.muted } } },
    formatter: ({ value }) => data.columns.map((column, index) => `{t|${column.label}}  {v|${column.type === "number" ? measure(value[index], column.unit) : value[index] ?? "–"}}`).join("\n"),
  };
  return option;
}

export const kinds = { timeseries, bar, histogram, scatter };
