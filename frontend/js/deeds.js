// Buttons marked `data-do`: theme, menu, copy, dialogs, folds.
import { cookie, one, root, setCookie, toast } from "./dom.js";

const openers = new WeakMap();

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard without TLS: select and ask the browser the old way.
    const box = document.createElement("textarea");
    box.value = text;
    box.className = "sr";
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    if (!done) return toast("The browser does not allow copying here. Select the text instead.");
  }
  return toast("Copied.");
}

export function openDialog(dialog, opener) {
  openers.set(dialog, opener);
  dialog.showModal();
  dialog.addEventListener("close", () => openers.get(dialog)?.focus?.(), { once: true });
}

const deeds = {
  theme(hit, event) {
    event.preventDefault();
    const now = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    setCookie("belvedere_theme", root.dataset.theme);
    document.dispatchEvent(new CustomEvent("themed"));
  },
  menu(hit) { hit.setAttribute("aria-expanded", String(one(".nav").classList.toggle("open"))); },
  copy(hit) { const from = one(`#${CSS.escape(hit.dataset.of)}`); copy(from.dataset.copy ?? from.textContent.trim()); },
  open(hit, event) { event.preventDefault(); openDialog(one(`#${CSS.escape(hit.dataset.of)}`), hit); },
  close(hit) { hit.closest("dialog").close(); },
  fold(hit) { const fold = hit.closest("details"); fold.open = false; one("summary", fold)?.focus(); },
  live() { document.dispatchEvent(new CustomEvent("pause-live")); },
  full(hit, event) {
    event.preventDefault();
    const target = one(".fullscreen-target");
    if (document.fullscreenElement) document.exitFullscreen();
    else target?.requestFullscreen?.();
  },
  again() { document.dispatchEvent(new CustomEvent("refresh-panels")); },
};

document.addEventListener("click", (event) => {
  const reveal = event.target.closest?.("[data-reveal]");
  if (reveal) {
    const ask = one(`#${CSS.escape(reveal.getAttribute("aria-controls"))}`);
    ask.open = !ask.open;
    reveal.setAttribute("aria-expanded", String(ask.open));
  }
  const hit = event.target.closest?.("[data-do]");
  if (hit) deeds[hit.dataset.do]?.(hit, event);
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// A preview moves while somebody looks at it, and not at all where motion is unwanted.
const still = matchMedia("(prefers-reduced-motion: reduce)");
function play(event) {
  const card = event.target.closest?.(".preview-card");
  const picture = card && one("img[data-moving]", card);
  if (!picture || still.matches) return;
  if (event.type === "mouseleave" || event.type === "focusout") {
    if (!card.contains(event.relatedTarget)) picture.src = picture.dataset.still;
  } else if (picture.getAttribute("src") !== picture.dataset.moving) picture.src = picture.dataset.moving;
}
for (const kind of ["mouseenter", "mouseleave"]) document.addEventListener(kind, play, true);
for (const kind of ["focusin", "focusout"]) document.addEventListener(kind, play);

export const shortcutsOff = () => cookie("belvedere_shortcuts") === "off";
