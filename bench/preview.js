// The peer of bench/preview.py: puppeteer takes the frames as the credential manager did, gifencoder encodes them.
// node preview.js capture URL BROWSER WIDTH HEIGHT FRAMES DELAY_MS OUT.gif | encode OUT.gif WIDTH HEIGHT DELAY_MS FRAME.png...
"use strict";
const fs = require("fs");
const { PNG } = require("pngjs");
const GIFEncoder = require("gifencoder");
const gifenc = require("gifenc");

const pixels = (png) => PNG.sync.read(png).data;

// gifencoder wants a canvas; all that it calls on it is this.
const canvas = (data) => ({ getImageData: () => ({ data }) });

function encode(frames, width, height, delay) {
  const encoder = new GIFEncoder(width, height);
  encoder.start();
  encoder.setRepeat(0);
  encoder.setDelay(delay);
  encoder.setQuality(10);
  for (const frame of frames) encoder.addFrame(canvas(pixels(frame)));
  encoder.finish();
  return encoder.out.getData();
}

function encodeGifenc(frames, width, height, delay) {
  const encoder = gifenc.GIFEncoder();
  for (const frame of frames) {
    const data = pixels(frame);
    const palette = gifenc.quantize(data, 256);
    encoder.writeFrame(gifenc.applyPalette(data, palette), width, height, { palette, delay });
  }
  encoder.finish();
  return Buffer.from(encoder.bytes());
}

async function capture([url, browser, width, height, count, delay, out]) {
  const puppeteer = require("puppeteer-core");
  const began = Date.now();
  const opened = await puppeteer.launch({
    executablePath: browser, headless: true,
    args: [...(process.getuid() === 0 ? ["--no-sandbox"] : []), "--disable-dev-shm-usage", "--disable-gpu"],
  });
  const page = await opened.newPage();
  await page.setViewport({ width: +width, height: +height });
  await page.goto(url, { waitUntil: "networkidle0" });
  const frames = [];
  for (let number = 0; number < +count; number++) {
    if (number) {
      await new Promise((done) => setTimeout(done, +delay));
      await page.evaluate(async (at, all) => { const steps = window.belvedere.tour(all); await steps[at - 1](at, all - 1); }, number, +count);
    }
    frames.push(Buffer.from(await page.screenshot({ type: "png" })));
  }
  await opened.close();
  const filmed = Date.now();
  fs.writeFileSync(out, encode(frames, +width, +height, +delay));
  console.log(JSON.stringify({ total_ms: Date.now() - began, encode_ms: Date.now() - filmed, bytes: fs.statSync(out).size }));
}

function compare([out, width, height, delay, ...paths]) {
  const frames = paths.map((path) => fs.readFileSync(path));
  const result = {};
  for (const [name, run] of [["gifencoder", encode], ["gifenc", encodeGifenc]]) {
    const began = Date.now();
    const made = run(frames, +width, +height, +delay);
    result[name] = { ms: Date.now() - began, bytes: made.length };
    fs.writeFileSync(`${out}.${name}.gif`, made);
  }
  console.log(JSON.stringify(result));
}

const [verb, ...rest] = process.argv.slice(2);
if (verb === "capture") capture(rest).catch((error) => { console.error(error); process.exit(1); });
else compare(rest);
