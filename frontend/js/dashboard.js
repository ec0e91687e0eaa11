// The built-in viewer: every panel fetches its own data, draws itself and says in which state it is.
import { directLabels, echarts, kinds, palette } from "./charts.js";
import { all, h, one, root } from "./dom.js";
import { brief, cell, measure } from "./format.js";

const SHOWN_ROWS = 500;
const AT_ONCE = 4;
const LONG = 48;
const GROUP = "dashboard";
let ink = palette();
const panels = new Map();

/** The address of a panel's data carries what the page's address says: range and variables. */
function address(panel) {
  const query = new URLSearchParams(location.search);
  for (const name of ["kiosk", "panel"]) query.delete(name);
  const text = query.toString();
  return panel.dataset.src + (text ? `?${text}` : "");
}

function say(panel, title, text, action = null) {
  const body = one(".body", panel);
  body.replaceChildren(h("div", { class: "say" }, h("div", {}, h("b", {}, title), text ? h("p", {}, text) : ""), action));
}

function widen(data) {
  const query = new URLSearchParams(location.search);
  if (!query.has("from") && !query.has("to")) return null;
  query.delete("from");
  query.delete("to");
  return h("a", { class: "btn sm no-kiosk", href: `?${query}` }, "Show all time");
}

export function table(data, limit = SHOWN_ROWS) {
  const toneAt = data.columns.findIndex((column) => column.name === data.options?.tone_column);
  const head = data.columns.map((column) => h("th", { scope: "col", class: column.type === "number" ? "num" : null }, column.label, column.unit && column.unit !== "duration" && !column.label.endsWith(`_${column.unit}`) ? h("span", { class: "unit" }, ` ${column.unit}`) : ""));
  const tones = { better: "good", worse: "bad", good: "good", warn: "warn", bad: "bad", error: "bad", warning: "warn" };
  const rows = data.rows.slice(0, limit).map((row) => {
    const cells = row.map((value, at) => {
      const column = data.columns[at];
      const text = cell(value, column);
      const tone = at === toneAt ? tones[String(value).toLowerCase()] ?? "muted" : null;
      const kind = [column.type === "number" ? "num" : column.type === "time" ? "nw tab" : text.length > LONG ? "long" : "nw", tone].filter(Boolean).join(" ");
      return at === 0 ? h("th", { scope: "row", class: kind }, column.type === "text" && /[_/.[\]]/.test(text) ? h("code", {}, text) : text) : h("td", { class: kind }, text);
    });
    return h("tr", {}, ...cells);
  });
  const scroller = h("div", { class: "rows", tabindex: "0", role: "region", "aria-label": `${data.title}, table` },
    h("table", { class: "table" }, h("caption", { class: "sr" }, data.title), h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)));
  return scroller;
}

/** "−0.30 ns worse": sign, figure, word; what better means is the template's to say. */
function change(data, now, before, column) {
  if (typeof now !== "number" || typeof before !== "number") return null;
  const by = now - before;
  if (by === 0) return h("p", { class: "chg muted" }, "same as before");
  const better = data.options.better;
  const good = better === "higher" ? by > 0 : better === "lower" ? by < 0 : null;
  const text = `${by > 0 ? "+" : ""}${measure(by, column.unit, column.decimals ?? null, brief)}`;
  if (good === null) return h("p", { class: "chg muted" }, text);
  return h("p", { class: `chg ${good ? "good" : "bad"}` }, `${text} ${good ? "better" : "worse"}`);
}

function stat(panel, data) {
  const place = (name) => data.columns.findIndex((column) => column.name === name);
  const at = Math.max(0, place(data.options?.value));
  const row = data.rows[0] ?? [];
  const column = { unit: data.unit, ...data.columns[at] };
  const value = row[at];
  const crossed = (data.options?.thresholds ?? []).filter((limit) => typeof value === "number" && (limit.at === null || value >= limit.at)).at(-1);
  const unit = column.unit || data.unit;
  const figure = h("p", { class: `fig ${crossed && crossed.tone !== "none" ? crossed.tone : ""}`, title: measure(value, unit) }, column.type === "number" ? brief(value, column.decimals ?? null) : cell(value, column), unit && value !== null ? h("small", {}, unit === "%" ? "%" : ` ${unit}`) : "");
  const before = place(data.options?.previous);
  one(".body", panel).replaceChildren(figure, before >= 0 ? change(data, value, row[before], { ...column, unit }) ?? "" : "");
}

function chart(panel, data) {
  const state = panels.get(panel);
  const body = one(".body", panel);
  let plot = one(".plot", body);
  if (!plot) {
    plot = h("div", { class: "plot", role: "img" });
    body.replaceChildren(plot);
    state.chart?.dispose();
    const zoom = Number(getComputedStyle(one("main")).zoom) || 1;
    state.chart = echarts.init(plot, null, { renderer: "canvas", devicePixelRatio: devicePixelRatio * zoom });
    if (data.type === "timeseries") { state.chart.group = GROUP; echarts.connect(GROUP); }
    new ResizeObserver(() => {
      if (!state.chart || state.chart.isDisposed() || !plot.clientWidth) return;
      state.chart.resize();
      paint(state, plot);
    }).observe(plot);
  }
  plot.setAttribute("aria-label", `${data.title}${data.unit ? `, ${data.unit}` : ""}: ${data.rows.length} points. The figures are under Values.`);
  paint(state, plot);
}

function paint({ chart: drawn, data }, plot) {
  drawn.setOption(kinds[data.type](data, ink, { width: plot.clientWidth, height: plot.clientHeight }), true);
  if (data.type === "timeseries") directLabels(drawn, data, ink);
}

function values(panel, data) {
  const fold = one(".values", panel);
  if (!fold) return;
  fold.hidden = data.type === "table" || data.type === "text" || !data.rows.length;
  const fill = () => {
    if (!fold.open) return;
    all(".rows, .note", fold).forEach((old) => old.remove());
    fold.append(table(data));
    if (data.rows.length > SHOWN_ROWS) fold.append(h("p", { class: "note" }, `The first ${SHOWN_ROWS} of ${data.rows.length.toLocaleString("en-GB")} rows.`));
  };
  fold.ontoggle = fill;
  fill();
}

function draw(panel, data) {
  const state = panels.get(panel);
  state.data = data;
  const note = one(":scope > .note", panel);
  note.textContent = data.note || (data.truncated ? "Only a part of the rows is shown." : "");
  note.hidden = !note.textContent;
  if (data.state === "error") {
    say(panel, "The query failed", data.message || "The store refused it.", h("button", { class: "btn sm no-kiosk", type: "button", "data-again": "" }, "Try again"));
  } else if (data.state === "empty" || !data.rows?.length && data.type !== "text") {
    say(panel, data.message || "No rows in this range", data.message ? "" : "Nothing was written between these times.", widen(data));
  } else if (data.type === "stat") stat(panel, data);
  else if (data.type === "table") one(".body", panel).replaceChildren(table(data));
  else if (data.type === "text") one(".body", panel).replaceChildren(h("p", { class: "text" }, data.options?.text ?? ""));
  else chart(panel, data);
  if (data.state === "partial" && data.message) { note.hidden = false; note.textContent = data.message; }
  values(panel, data);
  panel.dataset.state = data.state === "ok" && !data.rows?.length && data.type !== "text" ? "empty" : data.state;
  panel.setAttribute("aria-busy", "false");
}

async function load(panel) {
  const state = panels.get(panel);
  const slow = setTimeout(() => { const wait = one(".slow", panel); if (wait) wait.hidden = false; }, 10_000);
  try {
    const answer = await fetch(address(panel), { headers: { Accept: "application/json" }, cache: "no-cache" });
    if (answer.status === 401) { location.reload(); return; }
    const mark = answer.headers.get("ETag");
    if (answer.ok && mark && mark === state.mark) return;
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.detail || data.title || `The portal answered ${answer.status}.`);
    state.mark = mark;
    draw(panel, data);
  } catch (error) {
    // The last good picture stays, marked as old: a blank would say less.
    if (state.data) { const note = one(":scope > .note", panel); note.hidden = false; note.textContent = `Not renewed: ${error.message}`; return; }
    draw(panel, { type: panel.dataset.type, state: "error", message: error.message, columns: [], rows: [], options: {}, title: "" });
  } finally {
    clearTimeout(slow);
  }
}

let running = false;
async function loadAll() {
  if (running) return;
  running = true;
  const queue = [...panels.keys()];
  // A chart measures its labels once: with the face that the page will have.
  await document.fonts.load("12px Inter").catch(() => null);
  const worker = async () => { for (let panel = queue.shift(); panel; panel = queue.shift()) await load(panel); };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  running = false;
  await document.fonts.ready;
  root.dataset.ready = "true";
}

for (const panel of all("[data-panel]")) panels.set(panel, { data: null, chart: null, mark: null });

document.addEventListener("click", (event) => {
  const panel = event.target.closest?.("[data-panel]");
  if (panel && event.target.closest("[data-again]")) load(panel);
});
document.addEventListener("refresh-panels", loadAll);
one("#panels")?.addEventListener("moved", loadAll);
function repaint() {
  ink = palette();
  for (const [panel, state] of panels) if (state.chart && state.data) chart(panel, state.data);
}
document.addEventListener("themed", repaint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

// What a preview shows after the overview: panel by panel, the pointer on the last point of a line, on the longest bar.
function telling(data) {
  if (data.type !== "bar" && data.type !== "histogram") return data.rows.length - 1;
  const size = (row) => Math.abs(row.at(data.type === "bar" ? 1 : 2) ?? 0);
  return data.rows.reduce((best, row, index) => (size(row) > size(data.rows[best]) ? index : best), 0);
}
let lit = null;
async function visit(panel) {
  if (lit) { lit.classList.remove("tour"); for (const type of ["hideTip", "updateAxisPointer"]) panels.get(lit).chart?.dispatchAction({ type, currTrigger: "leave" }); }
  lit = panel;
  panel.classList.add("tour");
  panel.scrollIntoView({ block: "center", behavior: "instant" });
  const { chart: drawn, data } = panels.get(panel);
  // A line has a point more for each of its holes.
  const index = data?.type === "timeseries" ? drawn?.getOption().series[0].data.length - 1 : data && telling(data);
  if (drawn && data) drawn.dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: index });
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}
window.belvedere = window.belvedere || {};
window.belvedere.tour = (frames) => {
  const charts = [...panels.keys()].filter((panel) => !panel.classList.contains("stat"));
  const chosen = charts.length ? charts : [...panels.keys()];
  return chosen.slice(0, Math.max(1, frames - 1)).map((panel) => () => visit(panel));
};

loadAll();
