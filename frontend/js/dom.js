// Few words for what every module does.

export const root = document.documentElement;
export const one = (selector, from = document) => from.querySelector(selector);
export const all = (selector, from = document) => [...from.querySelectorAll(selector)];

/** Make an element: h("p", {class: "muted"}, "text", child). Text stays text. */
export function h(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function setCookie(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${value}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

export function cookie(name) {
  return document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

let fading;
/** Say the result of what the person just did. Never for errors: those stay on the page. */
export function toast(text) {
  const place = one("#toast");
  if (!place) return;
  place.textContent = text;
  clearTimeout(fading);
  const fade = () => { fading = setTimeout(() => (place.matches(":hover, :focus-within") ? fade() : (place.textContent = "")), 6000); };
  fade();
}
