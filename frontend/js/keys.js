// Shortcuts: single keys outside fields, off where the person turned them off.
import { openDialog, shortcutsOff } from "./deeds.js";
import { all, one } from "./dom.js";

let waitingForGo = 0;
let cursor = -1;

const lines = () => all("main table tbody tr, main [data-line]").filter((row) => row.offsetParent !== null && one("a", row));

function move(by) {
  const found = lines();
  if (!found.length) return;
  const focused = found.findIndex((row) => row.contains(document.activeElement));
  cursor = Math.max(0, Math.min(found.length - 1, (focused >= 0 ? focused : cursor) + by));
  one("a", found[cursor]).focus();
  found[cursor].scrollIntoView({ block: "nearest" });
}

function tab(by) {
  const tabs = all(".tabs a");
  const at = tabs.findIndex((link) => link.hasAttribute("aria-current"));
  tabs[(at + by + tabs.length) % tabs.length]?.click();
}

function search() {
  const dialog = one("#search");
  if (!dialog) { location.href = "/search"; return; }
  if (dialog.open) return;
  openDialog(dialog, document.activeElement);
  one("input", dialog).select();
}

const singles = {
  "/": search,
  "?": () => openDialog(one("#keys"), document.activeElement),
  g: () => { waitingForGo = Date.now(); },
  j: () => move(1),
  k: () => move(-1),
  o: () => document.activeElement?.closest?.("tr, [data-line]")?.querySelector("a")?.click(),
  x: () => document.activeElement?.closest?.("tr")?.querySelector("input[type=checkbox]")?.click(),
  n: () => one("[data-key=n]")?.click(),
  r: () => one("[data-key=r]")?.click(),
  "[": () => tab(-1),
  "]": () => tab(1),
  ".": () => document.dispatchEvent(new CustomEvent("pause-live")),
};

document.addEventListener("keydown", (event) => {
  const field = event.target.matches?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); search(); return; }
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && field) { event.target.form?.requestSubmit(); return; }
  if (event.key === "Escape") {
    one("details.menu[open]")?.removeAttribute("open");
    if (field && !event.target.closest("dialog")) event.target.blur();
    return;
  }
  if (field || event.ctrlKey || event.metaKey || event.altKey || shortcutsOff() || one("dialog[open]")) return;
  if (Date.now() - waitingForGo < 1500) {
    waitingForGo = 0;
    one(`[data-go="${CSS.escape(event.key)}"]`)?.click();
    return;
  }
  const deed = singles[event.key];
  if (deed) { event.preventDefault(); deed(); }
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.(".find") && !event.ctrlKey && !event.metaKey && one("#search")) { event.preventDefault(); search(); }
});

// In the search dialog the arrows go through what was found; Enter opens the first hit from the field.
one("#search")?.addEventListener("keydown", (event) => {
  const hits = all("a.hit", event.currentTarget);
  const at = hits.indexOf(document.activeElement);
  if (event.key === "ArrowDown" && hits.length) { event.preventDefault(); hits[Math.min(at + 1, hits.length - 1)].focus(); }
  if (event.key === "ArrowUp" && at >= 0) { event.preventDefault(); (hits[at - 1] ?? one("input", event.currentTarget)).focus(); }
  if (event.key === "Enter" && at < 0 && hits.length) { event.preventDefault(); hits[0].click(); }
});
