// What every page has. Pages read well without it: forms post, tables link, live parts are reloaded by hand.
import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";
import "./deeds.js";
import "./keys.js";
import "./forms.js";
import "./live.js";
import "./send.js";
import { root } from "./dom.js";

root.classList.remove("no-js");

Object.assign(htmx.config, {
  allowEval: false,
  includeIndicatorStyles: false,
  historyEnabled: false,
  selfRequestsOnly: true,
  responseHandling: [
    { code: "204", swap: false },
    { code: "304", swap: false },
    { code: "[23]..", swap: true },
    { code: "4[0-9][0-9]", swap: true, error: false },
    { code: "[45]..", swap: false, error: true },
  ],
});

// An open fold, a typed word and the focus stay where they are when a part of the page is renewed.
const keep = {
  morphStyle: "outerHTML",
  ignoreActiveValue: true,
  restoreFocus: true,
  callbacks: { beforeAttributeUpdated: (name, element) => !(name === "open" && element.matches("details, dialog")) },
};
htmx.defineExtension("morph", {
  isInlineSwap: (style) => style === "morph",
  handleSwap: (style, target, fragment) => (style === "morph" ? Idiomorph.morph(target, fragment.children, keep) : false),
});

// A part of a page carries the mark of what it shows; the same mark again means that nothing moves.
const marks = new WeakMap();
document.addEventListener("htmx:configRequest", ({ detail }) => {
  const mark = marks.get(detail.elt);
  if (mark && detail.verb === "get") detail.headers["If-None-Match"] = mark;
});
document.addEventListener("htmx:beforeOnLoad", ({ detail }) => {
  const mark = detail.xhr.getResponseHeader("ETag");
  if (mark) marks.set(detail.elt, mark);
  // Signed out meanwhile: a part of a page never shows the sign-in form, the page goes there.
  if (detail.xhr.status === 401) location.reload();
});
