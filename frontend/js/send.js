// Files that are dropped or chosen: sent part by part to the API, on again after a break, each with its progress.
import { all, h, one } from "./dom.js";

const AT_ONCE = 3;
const FIRST_PART = 256 * 1024;
const QUICK_MS = 700;
const LONGEST_PAUSE_MS = 30_000;
const SHOWN = 200;

const table = Uint32Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (let at = 0; at < bytes.length; at += 1) value = table[(value ^ bytes[at]) & 0xff] ^ (value >>> 8);
  return ((value ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

export function size(bytes) {
  let amount = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (amount < 1000 || unit === "GB") return unit === "B" ? `${amount} B` : `${amount < 100 ? amount.toFixed(1) : Math.round(amount)} ${unit}`;
    amount /= 1000;
  }
  return "";
}

const files = (number) => `${number.toLocaleString("en-GB")} ${number === 1 ? "file" : "files"}`;

/** All files below what was dropped, each with its path from there. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found = [];
  async function walk(entry, above) {
    const path = above + entry.name;
    if (entry.isFile) {
      found.push({ file: await new Promise((good, bad) => { entry.file(good, bad); }), path });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      // A reader gives at most a hundred at a time.
      const some = await new Promise((good, bad) => { reader.readEntries(good, bad); });
      if (!some.length) break;
      for (const below of some) await walk(below, `${path}/`);
    }
  }
  for (const entry of entries) await walk(entry, "");
  return found;
}

/** A refusal that trying again does not change, in the server's words. */
class Refused extends Error {}

class Sender {
  constructor(place) {
    this.place = place;
    this.most = Number(place.dataset.most);
    this.chunk = Number(place.dataset.chunk);
    this.part = Math.min(FIRST_PART, this.chunk);
    this.queue = [];
    this.running = 0;
    this.every = [];
    this.box = one("[data-sending]", place);
    one("[data-cancel]", place).addEventListener("click", () => { for (const item of this.every) this.stop(item); this.show(); });
  }

  /** Where a file goes: from the folders that it came in, and from the fields for what they do not say. */
  placeOf(path) {
    const parts = path.split("/").filter(Boolean);
    const name = parts.pop();
    const typed = (field) => one(`[name=${field}]`, this.place)?.value.trim() ?? "";
    let campaign = this.place.dataset.campaign;
    if (campaign && parts[0] === campaign) parts.shift();
    if (!campaign) campaign = parts.shift() || typed("campaign");
    return { campaign, device: parts.join("/") || typed("device"), name };
  }

  add(found) {
    let hidden = 0;
    for (const { file, path } of found) {
      if (path.split("/").some((part) => part.startsWith("."))) { hidden += 1; continue; }
      const item = { file, path, sent: 0, state: "waiting", to: this.placeOf(path), text: "" };
      this.every.push(item);
      if (!item.to.campaign) this.end(item, "refused", "Say which campaign it belongs to, then send it again.");
      else if (file.size > this.most) this.end(item, "refused", `${size(file.size)}; at most ${size(this.most)} are taken here. Send it by SFTP.`);
      else this.queue.push(item);
    }
    this.hidden = (this.hidden ?? 0) + hidden;
    this.box.hidden = false;
    this.box.scrollIntoView({ block: "nearest" });
    this.show();
    this.next();
  }

  next() {
    while (this.running < AT_ONCE && this.queue.length) {
      const item = this.queue.shift();
      if (item.state === "stopped") continue;
      this.running += 1;
      this.send(item).catch((error) => this.end(item, "refused", error.message)).finally(() => { this.running -= 1; this.next(); this.show(); });
    }
  }

  async call(item, method, path, body, type) {
    let pause = 1000;
    for (;;) {
      if (item.state === "stopped") throw new Refused("stopped");
      let answer;
      try {
        answer = await fetch(`/api/v1/uploads${path}`, { method, body, headers: { "X-CSRF-Token": this.place.dataset.csrf, "Content-Type": type } });
      } catch {
        answer = null;
      }
      if (answer?.status === 401) { this.end(item, "refused", "You are signed out. Sign in and send it again: it goes on where it was."); throw new Refused(item.text); }
      const said = answer ? await answer.json().catch(() => ({})) : {};
      if (answer?.ok) { item.text = ""; return said; }
      const problem = (said.type ?? "").split("/").pop();
      if (answer && answer.status < 500 && !["busy", "offset"].includes(problem) && answer.status !== 429) throw new Refused([said.detail, said.hint].filter(Boolean).join(" ") || `The server answered ${answer.status}.`);
      if (problem === "offset") return said;
      item.text = answer ? `${said.detail ?? `The server answered ${answer.status}.`} It goes on by itself.` : "No connection. It goes on by itself.";
      this.show();
      await new Promise((good) => { setTimeout(good, pause); });
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  async send(item) {
    const { file, to } = item;
    item.state = "sending";
    this.show();
    const user = new URLSearchParams({ user: this.place.dataset.user });
    const key = `${file.size}-${file.lastModified}`;
    const made = await this.call(item, "POST", `?${user}`, JSON.stringify({ ...to, size: file.size, key }), "application/json");
    item.id = made.id;
    item.sent = made.offset;
    let whole = made;
    while (item.sent < file.size || whole.state === "receiving") {
      const began = performance.now();
      const bytes = new Uint8Array(await file.slice(item.sent, item.sent + this.part).arrayBuffer());
      const query = new URLSearchParams({ user: this.place.dataset.user, offset: item.sent, checksum: `crc32:${crc32(bytes)}` });
      whole = await this.call(item, "PATCH", `/${made.id}?${query}`, bytes, "application/octet-stream");
      item.sent = whole.offset;
      // A part is as large as goes in a moment, so that a slow line makes progress too.
      const took = performance.now() - began;
      this.part = Math.max(64 * 1024, Math.min(this.chunk, took < QUICK_MS ? this.part * 2 : took > 4 * QUICK_MS ? this.part / 2 : this.part));
      this.part = Math.floor(this.part);
      this.show();
    }
    this.end(item, "sent", "");
  }

  stop(item) {
    if (["sent", "refused"].includes(item.state)) return;
    item.state = "stopped";
    item.text = "Stopped. Send it again within a day: it goes on where it was.";
  }

  /** Let the server forget what came of a file that was stopped. */
  async drop(item) {
    const user = new URLSearchParams({ user: this.place.dataset.user });
    const answer = await fetch(`/api/v1/uploads/${item.id}?${user}`, { method: "DELETE", headers: { "X-CSRF-Token": this.place.dataset.csrf } }).catch(() => null);
    const said = answer?.ok ? {} : await answer?.json().catch(() => ({})) ?? {};
    item.text = answer?.ok ? "Dropped." : said.detail ?? "It was not dropped. Try again.";
    if (answer?.ok) { item.id = ""; item.sent = 0; }
    this.show();
  }

  end(item, state, text) {
    if (item.state === "stopped") return;
    item.state = state;
    item.text = text;
  }

  again(item) {
    item.state = "waiting";
    item.text = "";
    item.to = this.placeOf(item.path);
    if (!item.to.campaign) this.end(item, "refused", "Say which campaign it belongs to, then send it again.");
    else this.queue.push(item);
    this.show();
    this.next();
  }

  get busy() { return this.every.some((item) => ["waiting", "sending"].includes(item.state)); }

  show() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  draw() {
    const of = (state) => this.every.filter((item) => item.state === state).length;
    const total = this.every.reduce((sum, item) => sum + item.file.size, 0);
    const done = this.every.reduce((sum, item) => sum + (item.state === "sent" ? item.file.size : item.sent), 0);
    const bar = one("[data-all]", this.box);
    bar.value = this.every.length && total ? done / total : of("sent") / (this.every.length || 1);
    const parts = [`${of("sent").toLocaleString("en-GB")} of ${files(this.every.length)} sent`, `${size(done)} of ${size(total)}`];
    if (of("refused")) parts.push(`${of("refused")} refused`);
    if (of("stopped")) parts.push(`${of("stopped")} stopped`);
    if (this.hidden) parts.push(`${files(this.hidden)} with hidden names left out`);
    one("[data-sum]", this.box).textContent = `${parts.join(", ")}.`;
    one("[data-cancel]", this.box).hidden = !this.busy;
    const order = { refused: 0, sending: 1, waiting: 2, stopped: 3, sent: 4 };
    const shown = [...this.every].sort((a, b) => order[a.state] - order[b.state]).slice(0, SHOWN);
    const list = one("[data-files]", this.box);
    const focused = list.contains(document.activeElement);
    if (!focused) list.replaceChildren(...shown.map((item) => this.row(item)), this.every.length > SHOWN ? h("li", { class: "muted" }, `${(this.every.length - SHOWN).toLocaleString("en-GB")} more.`) : "");
    if (!this.busy && !this.told) {
      this.told = true;
      one("#status").textContent = `${files(of("sent"))} sent${of("refused") ? `, ${of("refused")} refused` : ""}.`;
    }
    if (this.busy) this.told = false;
  }

  row(item) {
    const word = { waiting: "waiting", sending: "sending", sent: "sent", refused: "refused", stopped: "stopped" }[item.state];
    const tone = { sent: "good", refused: "bad", sending: "accent" }[item.state] ?? "";
    const side = h("span", { class: "side" }, h("span", { class: `pill ${tone}` }, word));
    if (["refused", "stopped"].includes(item.state)) {
      const again = h("button", { type: "button", class: "btn sm" }, "Send again", h("span", { class: "sr" }, ` ${item.path}`));
      again.addEventListener("click", () => { again.blur(); this.again(item); });
      side.append(again);
    }
    if (item.state === "stopped" && item.id) {
      const drop = h("button", { type: "button", class: "btn sm" }, "Drop", h("span", { class: "sr" }, ` ${item.path}`));
      drop.addEventListener("click", () => { drop.blur(); this.drop(item); });
      side.append(drop);
    }
    return h("li", {},
      h("span", { class: "any" }, h("code", {}, [item.to.device, item.to.name].filter(Boolean).join("/")), " ", h("span", { class: "muted small nw" }, size(item.file.size))),
      h("progress", { max: "1", value: item.state === "sent" ? "1" : String(item.file.size ? item.sent / item.file.size : 0), "aria-label": item.path }),
      side, h("span", { class: `sub any${item.state === "refused" ? " bad" : ""}` }, item.text));
  }
}

for (const place of all("[data-send]")) {
  const sender = new Sender(place);
  let inside = 0;
  const holds = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  // Anywhere on the page: who misses the zone must not lose the page to the file.
  document.addEventListener("dragenter", (event) => { if (holds(event)) { inside += 1; place.classList.add("over"); } });
  document.addEventListener("dragleave", (event) => { if (holds(event)) { inside -= 1; if (inside <= 0) place.classList.remove("over"); } });
  document.addEventListener("dragover", (event) => { if (holds(event)) { event.preventDefault(); event.dataTransfer.dropEffect = "copy"; } });
  document.addEventListener("drop", async (event) => {
    if (!holds(event)) return;
    event.preventDefault();
    inside = 0;
    place.classList.remove("over");
    sender.add(await dropped(event.dataTransfer));
  });
  for (const field of all("input[type=file]", place)) {
    field.addEventListener("change", () => {
      sender.add([...field.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
      field.value = "";
    });
  }
  one("form", place).addEventListener("submit", (event) => event.preventDefault(), true);
  addEventListener("beforeunload", (event) => { if (sender.busy) event.preventDefault(); });
}
