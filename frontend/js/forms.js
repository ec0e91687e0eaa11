// Forms: one submit at a time, the first wrong field has focus, selects that apply at once, secrets that hide again.
import { all, one } from "./dom.js";

document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter ?? one("button:not([type=button])", form);
  if (form.dataset.sending) return event.preventDefault();
  if (form.method === "get" || form.method === "dialog" || !button) return undefined;
  form.dataset.sending = "1";
  button.dataset.label = button.textContent;
  // After the browser has read the form: a disabled button would not send its value.
  setTimeout(() => {
    button.setAttribute("aria-disabled", "true");
    if (button.dataset.busy) button.textContent = button.dataset.busy;
  });
  return undefined;
});

function rested(form) {
  delete form.dataset.sending;
  for (const button of all("[aria-disabled=true][data-label]", form)) {
    button.removeAttribute("aria-disabled");
    button.textContent = button.dataset.label;
  }
}
// Coming back by the browser's history finds the form as it was sent.
addEventListener("pageshow", () => all("form[data-sending]").forEach(rested));
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.elt.matches?.("form")) rested(event.detail.elt); });

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-apply]");
  if (form) form.requestSubmit();
});

// Empty fields do not belong into an address that people share.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});

function count(place) {
  const ends = Date.now() + Number(place.dataset.hideAfter) * 1000;
  delete place.dataset.hideAfter;
  const left = one("[data-left]", place);
  const tick = () => {
    if (!place.isConnected) return;
    const seconds = Math.ceil((ends - Date.now()) / 1000);
    if (seconds > 0) {
      if (left) left.textContent = `hides in ${seconds} s`;
      setTimeout(tick, 250);
      return;
    }
    one("[data-hide]", place)?.click();
  };
  tick();
}
const watch = () => all("[data-hide-after]").forEach(count);
document.addEventListener("htmx:afterSettle", watch);
document.addEventListener("htmx:afterSettle", (event) => {
  one("[data-focus]", event.target)?.focus();
});
document.addEventListener("toggle", (event) => {
  if (event.target.open && event.target.matches?.("details")) one("input:not([type=hidden]), textarea, select", event.target)?.focus();
}, true);

watch();
one("[aria-invalid=true]")?.focus();
