"""The few lines of script that a capture runs in a page, and the pure rule that spreads a tour over the frames.

A page of the portal and a page of Grafana differ in a `Manner`: what says that it is ready, and how it is toured.
What the page must say for its part is `docs/explanation/previews.md`. What is not here: who runs them (`capture.py`).
"""

from dataclasses import dataclass
from typing import Final

from belvedere.previews import grafana_script

PROBE: Final = r"""
(() => {
  const root = document.documentElement, missing = [];
  const seen = (one) => { const box = one.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(one).visibility !== "hidden"; };
  const named = (list) => list.slice(0, 5).map((one) => one.dataset.panel || "unnamed").join(", ") +
    (list.length > 5 ? ", ..." : "");
  const panels = [...document.querySelectorAll("[data-panel]")];
  const open = panels.filter((one) => !/^(ok|empty|partial|error)$/.test(one.dataset.state || ""));
  if (document.readyState !== "complete") missing.push("the page is still loading");
  if ("ready" in root.dataset && root.dataset.ready !== "true") missing.push("the page does not say that it is ready");
  if (open.length) missing.push(`${open.length} of ${panels.length} panels are not drawn: ${named(open)}`);
  if (document.fonts && document.fonts.status !== "loaded") missing.push("the fonts are not in");
  const busy = [...document.querySelectorAll('[aria-busy="true"], .spinner, .skeleton')].filter(seen);
  if (busy.length) missing.push(`${busy.length} things are still loading`);
  const failed = panels.filter((one) => one.dataset.state === "error").map((one) => ({name: named([one]), text: ""}));
  const signIn = root.dataset.page === "sign-in" || document.querySelector("input[type=password]") !== null;
  return {missing, failed, signIn, panels: panels.length, bottom: 0};
})()
"""
"""What is missing until the page is ready, as sentences; panels in error; whether it is the sign-in page."""

DRAWN: Final = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
"""Resolves when the browser has drawn what was asked of it."""

PREPARE: Final = r"""
(async (frames) => {
  const own = window.belvedere && window.belvedere.tour;
  const list = typeof own === "function" ? await own.call(window.belvedere, frames) : own;
  const tour = {kind: "film", steps: []};
  const scroller = document.scrollingElement || document.documentElement;
  const most = scroller.scrollHeight - window.innerHeight;
  const panels = [...document.querySelectorAll("[data-panel]")];
  if (Array.isArray(list) && list.length) {
    tour.kind = "page";
    tour.steps = list;
  } else if (most > 8) {
    let stops = [...document.querySelectorAll("[data-row]")]
      .map((row) => Math.min(most, Math.max(0, row.getBoundingClientRect().top + scroller.scrollTop - 16)));
    const page = window.innerHeight * 0.9;
    if (!stops.length) for (let y = page; y < most + page; y += page) stops.push(Math.min(most, y));
    stops = [...new Set([...stops.map(Math.round), Math.round(most)])].filter((y) => y > 0).sort((a, b) => a - b);
    tour.kind = "scroll";
    tour.steps = stops.map((y) => () => window.scrollTo({top: y, behavior: "instant"}));
  } else if (panels.length) {
    const light = document.createElement("div");
    Object.assign(light.style, {position: "fixed", zIndex: "2147483647", pointerEvents: "none", borderRadius: "4px",
      boxShadow: "0 0 0 200vmax rgba(15, 23, 42, 0.28)"});
    tour.kind = "light";
    tour.steps = panels.map((panel) => () => {
      const box = panel.getBoundingClientRect();
      Object.assign(light.style, {left: `${box.left - 4}px`, top: `${box.top - 4}px`, width: `${box.width + 8}px`,
        height: `${box.height + 8}px`});
      if (!light.isConnected) document.body.append(light);
    });
  }
  window.__belvedereTour = tour;
  return {kind: tour.kind, steps: tour.steps.length};
})(%(frames)d)
"""
"""Makes the tour: the page's own, or scrolling, or a light on one panel after the other, or nothing to do."""

STEP: Final = (
    "(async (number) => { const steps = window.__belvedereTour.steps; "
    "const top = await steps[number](number + 1, steps.length); return typeof top === 'number' ? top : 0; })(%d)"
)
"""Runs one step of the tour and waits for its promise; its value is where the frame begins on a tall page."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How pages of one kind are treated. On `tall` ones the window takes in the whole page and the frame moves."""

    host: str
    probe: str
    prepare: str
    tall: bool = False
    before: str = ""


PORTAL: Final = Manner("The portal", PROBE, PREPARE)
GRAFANA: Final = Manner(
    "Grafana", grafana_script.PROBE, grafana_script.PREPARE, tall=True, before=grafana_script.QUIET
)


def spread(steps: int, frames: int) -> list[int | None]:
    """Say for each frame which step it shows: none first, then all in order, evenly, none left out where there is room.

    >>> spread(3, 7)
    [None, 0, 0, 1, 1, 2, 2]
    >>> spread(9, 4)
    [None, 0, 4, 8]
    """
    later = frames - 1
    if steps == 0 or later <= 0:
        return [None] * frames
    if steps <= later:
        return [None, *(position * steps // later for position in range(later))]
    if later == 1:
        return [None, 0]
    return [None, *(round(position * (steps - 1) / (later - 1)) for position in range(later))]
