"""The script that a capture runs in a page of Grafana: is it ready, what is wrong with it, which way goes the tour.

Seen on 11.0.0: `grafanaRuntime.getPanelData()` tells each panel's state on its old page, which is the default there; on
a page made by scenes it throws, and `__grafanaRunningQueryCount` counts instead. Panels further down than 100 px below
the window never ask, so the window is made as tall as the dashboard and the tour moves the frame, not the page.
What is not here: who runs it (`capture.py`).
"""

from typing import Final

QUIET: Final = r"""
(() => {
  const Silent = class extends EventTarget {
    constructor(url) { super(); Object.assign(this, {url: String(url), readyState: 0, bufferedAmount: 0, protocol: "",
      extensions: "", binaryType: "blob"}); }
    send() {}
    close() { this.readyState = 3; }
  };
  Object.assign(Silent, {CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3});
  window.WebSocket = Silent;
  window.EventSource = Silent;
  window.SharedWorker = undefined;
})()
"""
"""Runs before any script of the page: nothing lives on, since a picture has no use for what comes later."""

PROBE: Final = r"""
(() => {
  const missing = [], failed = [], most = 5;
  const listed = (names) => names.slice(0, most).join(", ") + (names.length > most ? ", ..." : "");
  const short = (text) => String(text || "").replace(/\s+/g, " ").trim().slice(0, 120);
  const items = [...document.querySelectorAll(".react-grid-item")];
  const boxOf = (one) => one.getBoundingClientRect();
  const bottom = Math.ceil(Math.max(0, ...items.map((one) => boxOf(one).bottom)));
  const near = (one) => !one || boxOf(one).top < window.innerHeight;
  let panels = null, data = null;
  try {
    panels = window.grafanaRuntime.getDashboardSaveModel().panels;
    data = window.grafanaRuntime.getPanelData();
  } catch (_) { panels = null; }
  const scenes = Boolean(window.__grafanaSceneContext);
  const drawn = '[class$="panel-content"], [data-testid="data-testid panel content"], .dashboard-row';
  const titles = (one) => short((one.querySelector("h2, h6, header") || {}).textContent) || "a panel";
  if (document.readyState !== "complete") missing.push("the page is still loading");
  if (panels && data && !scenes) {
    const waiting = [];
    for (const panel of panels.flatMap((one) => one.type === "row" ? [] : [one])) {
      const place = document.querySelector(`[data-panelid="${panel.id}"]`);
      const state = data[panel.id] && data[panel.id].state;
      const name = short(panel.title) || `panel ${panel.id}`;
      if (state === "Error") {
        const error = data[panel.id].error || (data[panel.id].errors || [])[0] || {};
        failed.push({name, text: short((error.data && error.data.error) || error.message || error.statusText)});
      } else if ((panel.targets || []).length && near(place) && !/^(Done|Streaming)$/.test(state || "")) {
        waiting.push(name);
      }
    }
    if (panels.length && !items.length) missing.push("the panels are not laid out");
    if (waiting.length) missing.push(`${waiting.length} of ${panels.length} panels have no answer: ${listed(waiting)}`);
  } else if (scenes || document.querySelector(".react-grid-item")) {
    if (window.__grafanaRunningQueryCount > 0) missing.push(`${window.__grafanaRunningQueryCount} queries are running`);
    if (!items.length) missing.push("the panels are not laid out");
  } else {
    missing.push("the dashboard is not loaded");
  }
  const empty = items.filter((one) => near(one) && !one.querySelector(drawn) && !/row/.test(one.className));
  if (empty.length) missing.push(`${empty.length} panels are not drawn: ${listed(empty.map(titles))}`);
  const busy = document.querySelectorAll('[aria-label="Panel loading bar"], [data-testid="Spinner"], .preloader');
  if (busy.length) missing.push(`${busy.length} things are still loading`);
  if (!failed.length) {
    const red = items.filter((one) => one.querySelector('[data-testid="data-testid Panel status error"]'));
    for (const one of red) failed.push({name: titles(one), text: ""});
  }
  if (document.fonts && document.fonts.status !== "loaded") missing.push("the fonts are not in");
  const signIn = /\/login(\/|$)/.test(location.pathname) || document.querySelector("input[type=password]") !== null;
  return {missing, failed, signIn, panels: items.length, bottom};
})()
"""
"""What is missing until the page is ready, as sentences; panels in error; how tall it is."""

PREPARE: Final = r"""
(async (frames, height) => {
  const items = [...document.querySelectorAll(".react-grid-item")];
  const bottom = Math.ceil(Math.max(0, ...items.map((one) => one.getBoundingClientRect().bottom)));
  const most = Math.min(bottom, window.innerHeight) - height;
  const tour = {kind: "film", steps: []};
  if (most > 8) {
    const tops = items.map((one) => Math.min(most, Math.max(0, Math.round(one.getBoundingClientRect().top - 8))));
    const stops = [...new Set([...tops, most])].filter((y) => y > 0).sort((a, b) => a - b);
    tour.kind = "scroll";
    tour.steps = stops.map((y) => () => y);
  } else if (items.length > 1) {
    const light = document.createElement("div");
    Object.assign(light.style, {position: "fixed", zIndex: "2147483647", pointerEvents: "none", borderRadius: "4px",
      boxShadow: "0 0 0 200vmax rgba(15, 23, 42, 0.28)"});
    tour.kind = "light";
    tour.steps = items.map((panel) => () => {
      const box = panel.getBoundingClientRect();
      Object.assign(light.style, {left: `${box.left - 4}px`, top: `${box.top - 4}px`, width: `${box.width + 8}px`,
        height: `${box.height + 8}px`});
      if (!light.isConnected) document.body.append(light);
      return 0;
    });
  }
  window.__belvedereTour = tour;
  return {kind: tour.kind, steps: tour.steps.length};
})(%(frames)d, %(height)d)
"""
"""Makes the tour: from row to row down the tall window, or a light on one panel after the other."""
