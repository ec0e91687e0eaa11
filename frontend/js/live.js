// One event stream for a visible page. An event names a topic; parts of the page that show it fetch themselves.
// Without a stream the page asks every 5 s, less often when nobody is there.
import { all, one } from "./dom.js";

const QUIET_MS = 700;
const marker = one(".head .live");
let stream = null;
let paused = false;
let polling = null;
let lastTouch = Date.now();
let since = document.body.dataset.since ?? "";
const due = new Map();

const parts = () => all("[data-topics]");
const topics = () => [...new Set(parts().flatMap((part) => part.dataset.topics.split(" ")))].filter(Boolean).sort();

function show(mode, words) {
  if (!marker) return;
  marker.dataset.mode = mode;
  one("[data-words]", marker).textContent = words;
}

/** A hand is on it: typed text, a selection or an open menu stays as it is until the hand lets go. */
function held(part) {
  const active = document.activeElement;
  if (active && part.contains(active) && active.matches("input:not([type=checkbox]), textarea, select")) return true;
  if (one("details[open] form, details.menu[open], dialog[open]", part)) return true;
  const selection = getSelection();
  return Boolean(selection && !selection.isCollapsed && part.contains(selection.anchorNode));
}

function renew(part) {
  if (!part.isConnected) { due.delete(part); return; }
  if (paused || document.hidden) { due.delete(part); return; }
  if (held(part)) { due.set(part, setTimeout(() => renew(part), 1000)); return; }
  due.delete(part);
  part.dataset.fetched = String(Date.now());
  part.dispatchEvent(new CustomEvent("moved"));
}

function moved(topic) {
  for (const part of parts()) {
    if (topic !== "*" && !part.dataset.topics.split(" ").includes(topic)) continue;
    if (part.hasAttribute("data-new-rows")) { one("[data-new]", part)?.removeAttribute("hidden"); continue; }
    if (due.has(part)) continue;
    const wait = Math.max(0, QUIET_MS - (Date.now() - Number(part.dataset.fetched ?? 0)));
    due.set(part, setTimeout(() => renew(part), wait));
  }
}

function poll() {
  clearTimeout(polling);
  const idle = Date.now() - lastTouch;
  const every = idle > 600_000 ? 60 : idle > 60_000 ? 15 : 5;
  show("poll", `Every ${every} s`);
  polling = setTimeout(() => { moved("*"); poll(); }, every * 1000);
}

function stop() {
  stream?.close();
  stream = null;
  clearTimeout(polling);
}

function start() {
  stop();
  const wanted = topics();
  if (!marker) return;
  marker.hidden = !wanted.length;
  if (!wanted.length) return;
  if (paused) { show("paused", "Paused"); return; }
  const query = new URLSearchParams({ topics: wanted.join(",") });
  if (since) query.set("since", since);
  stream = new EventSource(`/events?${query}`);
  stream.addEventListener("open", () => show("live", "Live"));
  stream.addEventListener("moved", (event) => { since = event.lastEventId || since; moved(event.data); });
  stream.addEventListener("at", (event) => { since = event.lastEventId || since; });
  stream.addEventListener("bye", () => { stop(); location.reload(); });
  stream.addEventListener("error", () => {
    if (stream?.readyState === EventSource.CLOSED) { stop(); poll(); } else show("wait", "Reconnecting");
  });
}

document.addEventListener("pause-live", () => {
  paused = !paused;
  if (paused) { stop(); show("paused", "Paused"); } else { moved("*"); start(); }
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stop();
  else if (!paused) start();
});
for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, () => { lastTouch = Date.now(); }, { passive: true });

// The title tells the state to somebody in another tab; one sentence tells it to a screen reader.
let told = "";
document.addEventListener("htmx:afterSettle", () => {
  const titled = one("[data-title]");
  if (titled) document.title = `${titled.dataset.title} · Belvedere`;
  const say = one("[data-say]")?.dataset.say ?? "";
  if (say && say !== told) { told = say; const status = one("#status"); if (status) status.textContent = say; }
});
addEventListener("pagehide", stop);
addEventListener("pageshow", (event) => { if (event.persisted) start(); });
told = one("[data-say]")?.dataset.say ?? "";
start();
