// Figures as people read them: true minus, a space before the unit, exact below a million.

const MINUS = "\u2212";
const plain = (text) => text.replace("-", MINUS);

/** All digits that a table shows: grouped, with the column's decimals when it has some. */
export function exact(value, decimals = null) {
  if (value === null || value === undefined || value === "") return "–";
  const number = Number(value);
  if (!Number.isFinite(number)) return String(value);
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return plain(number.toExponential(2));
  const options = decimals === null ? { maximumFractionDigits: size >= 1000 ? 2 : 6 } : { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return plain(number.toLocaleString("en-GB", options));
}

/** Three or four digits that matter, for tiles. */
export function brief(value, decimals = null) {
  if (value === null || value === undefined || value === "") return "–";
  const number = Number(value);
  if (!Number.isFinite(number)) return String(value);
  const size = Math.abs(number);
  if (Number.isInteger(number) && size < 1e6) return plain(number.toLocaleString("en-GB"));
  if (size >= 1e6) return plain(new Intl.NumberFormat("en-GB", { notation: "compact", maximumSignificantDigits: 3 }).format(number).replace(/([KMBT])/, " $1"));
  if (size < 1e-4) return size === 0 ? "0" : plain(number.toExponential(2));
  if (decimals !== null && size < 1000) return plain(number.toFixed(Math.min(decimals, size >= 100 ? 1 : size >= 10 ? 2 : 3)));
  return plain(number.toLocaleString("en-GB", { maximumSignificantDigits: size >= 1000 ? 6 : 4, maximumFractionDigits: size >= 1000 ? 0 : 4 }));
}

/** Figure and unit with the space that belongs between them; percent stands close. */
export function measure(value, unit = "", decimals = null, figure = exact) {
  const text = figure(value, decimals);
  if (!unit || text === "–") return text;
  return unit === "%" ? `${text}%` : `${text} ${unit}`;
}

/** Numbers beside an axis: as short as they can be. */
export function tick(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return plain(`${+(value / 1e9).toFixed(2)} G`);
  if (size >= 1e6) return plain(`${+(value / 1e6).toFixed(2)} M`);
  if (size !== 0 && size < 1e-3) return plain(value.toExponential(0));
  return plain(Number(value.toPrecision(6)).toLocaleString("en-GB", { maximumFractionDigits: 6 }));
}

export function moment(value, seconds = false) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return String(value ?? "–");
  return `${date.toISOString().slice(0, seconds ? 19 : 16).replace("T", " ")} UTC`;
}

const LENGTHS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** How long something took, in its two largest units: 3 h 12 min, 35 d. */
export function duration(seconds) {
  let left = Math.round(Math.abs(seconds));
  const found = [];
  for (const [unit, length] of LENGTHS) {
    const many = Math.floor(left / length);
    left -= many * length;
    if (many || found.length) found.push(many && `${many} ${unit}`);
    if (found.length === 2) break;
  }
  return (seconds < 0 ? MINUS : "") + (found.filter(Boolean).join(" ") || "0 s");
}

export function cell(value, column) {
  if (value === null || value === undefined || value === "") return "–";
  if (column.type === "time") return moment(value);
  if (column.unit === "duration") return duration(Number(value));
  if (column.type === "number") return exact(value, column.decimals ?? null);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}
