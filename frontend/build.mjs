// Bundles the page sources into src/belvedere/web/static: hashed names, manifest.json, the notice of third-party licences.
// Run by hatch_build.py, or by hand: `npm ci --ignore-scripts && npm run build`.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "src", "belvedere", "web", "static");

const result = await build({
  absWorkingDir: here,
  entryPoints: { app: "js/app.js", dashboard: "js/dashboard.js", style: "css/main.css" },
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file" },
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox120", "safari17.5"],
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  outdir: out,
  write: false,
});

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const manifest = {};
for (const file of result.outputFiles) {
  const name = file.path.slice(out.length + 1);
  manifest[name.replace(/-[A-Z0-9]{8}(?=\.\w+$)/, "")] = name;
  await writeFile(file.path, file.contents);
}

const mark = await readFile(join(here, "mark.svg"));
const markName = `mark-${createHash("sha256").update(mark).digest("hex").slice(0, 8).toUpperCase()}.svg`;
manifest["mark.svg"] = markName;
await writeFile(join(out, markName), mark);

await writeFile(join(out, "THIRD-PARTY.txt"), await notice(Object.keys(result.metafile.inputs)));
manifest["THIRD-PARTY.txt"] = "THIRD-PARTY.txt";
await writeFile(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
for (const [name, file] of Object.entries(manifest)) console.log(`${name} -> ${file}`);

/** The licences of exactly those packages of which something is in a bundle. */
async function notice(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const match = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (match) packages.add(match[1]);
  }
  const parts = ["The page assets of Belvedere contain code of these packages, under their licences.\n"];
  for (const name of [...packages].sort()) {
    const folder = join(here, "node_modules", name);
    const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    parts.push(`${"=".repeat(78)}\n${name} ${about.version} (${about.license})\n`);
    const entries = await readdir(folder, { withFileTypes: true });
    const texts = entries.filter((entry) => entry.isFile() && /^(licen[cs]e|notice|copying)/i.test(entry.name));
    for (const entry of texts.sort((a, b) => (a.name < b.name ? -1 : 1))) parts.push(await readFile(join(folder, entry.name), "utf8"));
  }
  return parts.join("\n");
}
