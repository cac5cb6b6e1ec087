"""Script of the HTML viewer. It fetches nothing; text is set as text, never as HTML."""

from typing import Final

SCRIPT: Final = r"""
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const by = id => document.getElementById(id);
const {rows, cols, lowest, highest, heatSide, slices, labels, presets, words} = data;
const state = {slice: data.start, preset: 0, label: labels.indexOf("any"), opacity: 0.7, overlay: true};
const kept = new Map();
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const clamp = value => Math.min(Math.max(value, 0), slices.length - 1);

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
async function hounsfield(text) {
  const raw = await inflate(text), count = rows * cols, hu = new Int16Array(count);
  for (let row = 0, i = 0; row < rows; row += 1) {
    let value = lowest;
    for (let col = 0; col < cols; col += 1, i += 1) {
      const folded = raw[i] | (raw[count + i] << 8);
      value += (folded >>> 1) ^ -(folded & 1);
      hu[i] = value;
    }
  }
  return hu;
}
function once(key, make) {
  if (!kept.has(key)) kept.set(key, make());
  return kept.get(key);
}
const pixels = index => once("p" + index, () => hounsfield(slices[index].pixels));
const heat = (index, label) => once("h" + index + "." + label, async () => {
  const text = (data.heat[labels[label]] || {})[slices[index].number];
  if (!text) return null;
  const grey = await inflate(text), picture = new ImageData(heatSide, heatSide);
  for (let i = 0; i < grey.length; i += 1) picture.data.set([255, grey[i], 0, grey[i]], 4 * i);
  const small = document.createElement("canvas");
  small.width = small.height = heatSide;
  small.getContext("2d").putImageData(picture, 0, 0);
  return small;
});
function greys([centre, width]) {
  const table = new Uint8ClampedArray(highest - lowest + 1);
  for (let i = 0; i < table.length; i += 1) table[i] = 255 * (lowest + i - centre + width / 2) / width;
  return table;
}
function paint(canvas, hu, hot, preset, opacity) {
  const table = greys(presets[preset].window), picture = new ImageData(cols, rows);
  const out = new Uint32Array(picture.data.buffer);
  for (let i = 0; i < hu.length; i += 1) out[i] = 0xff000000 | (table[hu[i] - lowest] * 0x010101);
  const context = canvas.getContext("2d");
  context.globalAlpha = 1;
  context.putImageData(picture, 0, 0);
  if (!hot) return;
  context.globalAlpha = opacity;
  context.imageSmoothingQuality = "high";
  context.drawImage(hot, 0, 0, cols, rows);
}

let turn = 0;
async function show() {
  const mine = turn += 1, one = slices[state.slice], name = labels[state.label];
  controls(one, name);
  const [hu, hot] = await Promise.all([pixels(state.slice), heat(state.slice, state.label)]);
  if (mine !== turn) return;
  paint(by("picture"), hu, state.overlay ? hot : null, state.preset, state.opacity);
  by("picture").dataset.shown = String(one.number);
}
function controls(one, name) {
  const said = fill(words.where, {slice: one.number, total: data.total, mm: one.position.toFixed(1),
    label: data.names[name], probability: one.probabilities[state.label].toFixed(3),
    threshold: data.thresholds[state.label].toFixed(3)});
  by("where").textContent = said + (one.over[state.label] ? " " + words.over : "");
  by("picture").setAttribute("aria-label", said);
  by("slice").value = String(state.slice);
  by("slice").setAttribute("aria-valuetext", said);
  document.querySelectorAll("[data-preset]").forEach(button =>
    button.setAttribute("aria-pressed", String(Number(button.dataset.preset) === state.preset)));
  document.querySelectorAll("[data-label]").forEach(button =>
    button.setAttribute("aria-pressed", String(button.dataset.label === name)));
  by("overlay").checked = state.overlay;
  by("opacity").disabled = !state.overlay;
  const place = data.places[name], mark = by("mark");
  mark.hidden = !(state.overlay && place && place.number === one.number);
  if (!mark.hidden) Object.assign(mark.style, {top: 100 * place.down + "%", left: 100 * place.across + "%"});
  by("here").setAttribute("x", String(state.slice));
}
function element(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
function strip() {
  const drawn = by("strip"), threshold = data.thresholds[state.label];
  drawn.setAttribute("viewBox", "0 0 " + slices.length + " 1");
  drawn.replaceChildren(element("rect", {id: "here", class: "here", x: state.slice, y: 0, width: 1, height: 1}));
  slices.forEach((one, i) => {
    const p = one.probabilities[state.label], kind = one.over[state.label] ? "bar over" : "bar";
    drawn.append(element("rect", {class: kind, x: i + 0.1, y: 1 - p, width: 0.8, height: p}));
  });
  drawn.append(element("line", {x1: 0, x2: slices.length, y1: 1 - threshold, y2: 1 - threshold}));
}
function go(index) {
  state.slice = clamp(index);
  show();
}
function choose(label, number) {
  state.label = labels.indexOf(label);
  state.slice = clamp(slices.findIndex(one => one.number === number));
  strip();
  show();
}
function preset(index) {
  state.preset = index;
  show();
}
function overlay(on) {
  state.overlay = on;
  show();
}

const keys = {ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -5, PageDown: 5};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const own = event.target.closest("input[type=range], .report");
  if (event.key in keys && !own) go(state.slice + keys[event.key]);
  else if (event.key === "Home" && !own) go(0);
  else if (event.key === "End" && !own) go(slices.length - 1);
  else if (/^[1-9]$/.test(event.key) && event.key <= presets.length) preset(Number(event.key) - 1);
  else if (event.key === "o" || event.key === "O") overlay(!state.overlay);
  else return;
  event.preventDefault();
});
let rolled = 0;
by("stage").addEventListener("wheel", event => {
  if (event.ctrlKey) return;
  event.preventDefault();
  rolled += event.deltaMode ? 40 * event.deltaY : event.deltaY;
  if (Math.abs(rolled) < 40) return;
  go(state.slice + Math.sign(rolled));
  rolled = 0;
}, {passive: false});
let held = null;
by("picture").addEventListener("pointerdown", event => {
  held = {y: event.clientY, slice: state.slice};
  by("picture").setPointerCapture(event.pointerId);
});
by("picture").addEventListener("pointermove", event => {
  if (held) {
    const wanted = clamp(held.slice + Math.round((event.clientY - held.y) / 12));
    if (wanted !== state.slice) go(wanted);
  }
});
for (const end of ["pointerup", "pointercancel"]) by("picture").addEventListener(end, () => { held = null; });
by("slice").addEventListener("input", () => go(Number(by("slice").value)));
by("strip").addEventListener("click", event => {
  const box = by("strip").getBoundingClientRect();
  go(Math.floor((event.clientX - box.left) / box.width * slices.length));
});
by("overlay").addEventListener("change", () => overlay(by("overlay").checked));
by("opacity").addEventListener("input", () => { state.opacity = Number(by("opacity").value) / 100; show(); });
by("print").addEventListener("click", () => window.print());
document.querySelectorAll("[data-preset]").forEach(button =>
  button.addEventListener("click", () => preset(Number(button.dataset.preset))));
document.querySelectorAll("[data-label]").forEach(button =>
  button.addEventListener("click", () => choose(button.dataset.label, Number(button.dataset.number))));

async function figures() {
  for (const canvas of document.querySelectorAll(".figures canvas")) {
    const index = slices.findIndex(one => one.number === Number(canvas.dataset.number));
    [canvas.width, canvas.height] = [cols, rows];
    canvas.style.aspectRatio = data.aspect;
    const hot = await heat(index, labels.indexOf(canvas.dataset.figure));
    paint(canvas, await pixels(index), hot, 0, 0.7);
  }
}
async function start() {
  if (!("DecompressionStream" in window)) {
    by("where").textContent = words.old_browser;
    return;
  }
  strip();
  await show();
  await figures();
  for (let i = 0; i < slices.length; i += 1) await pixels(i);
  document.body.dataset.ready = "yes";
}
start();
"""
