"""Style and script of the grading sheet. Nothing is fetched; what is graded is kept in localStorage."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --line: rgba(128, 128, 128, .35); --here: #1769aa; }
* { box-sizing: border-box; }
body { font: 16px/1.45 system-ui, "DejaVu Sans", sans-serif;
  margin: 0 auto; max-width: 90rem; padding: 0 1rem 3rem; }
header { position: sticky; top: 0; background: Canvas; padding: .4rem 0; z-index: 1;
  border-bottom: 1px solid var(--line); }
h1 { font-size: 1.25rem; margin: 0; }
p { margin: .2rem 0; }
.small { font-size: .82rem; opacity: .75; }
.bar { display: flex; flex-wrap: wrap; gap: .4rem .9rem; align-items: center; margin-top: .3rem; }
main { display: grid; gap: 1rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); }
article { border: 2px solid var(--line); border-radius: .5rem; padding: .6rem; scroll-margin-top: 12rem; }
article:focus, article:focus-within { border-color: var(--here); outline: none; }
article.graded { background: rgba(46, 125, 50, .12); }
img { width: 100%; height: auto; display: block; background: #14161a; }
fieldset { border: 0; padding: .3rem 0; margin: 0; display: flex; flex-wrap: wrap; gap: .2rem .9rem; }
legend { font-size: .82rem; opacity: .75; padding: 0; }
kbd { border: 1px solid var(--line); border-radius: .2rem; padding: 0 .3rem; font-size: .8rem; }
.remark { display: flex; gap: .5rem; font-size: .88rem; }
.remark input { flex: 1; min-width: 0; }
@media (max-width: 40rem) { header { position: static; } }
"""

SCRIPT: Final = r"""
"use strict";
const cards = [...document.querySelectorAll("article")];
const store = "ichscan-grading-" + document.body.dataset.sheet;
const reader = document.getElementById("reader");
let state = {reader: "", grades: {}};
try { state = Object.assign(state, JSON.parse(localStorage.getItem(store)) || {}); } catch (error) { /* no storage */ }

const radios = card => [...card.querySelectorAll("input[type=radio]")];
const remark = card => card.querySelector(".remark input");
const entry = card => state.grades[card.dataset.key] || {};

function keep() {
  try { localStorage.setItem(store, JSON.stringify(state)); } catch (error) {
    document.getElementById("done").textContent = "This browser keeps nothing: export before you close it.";
  }
}
function show() {
  let done = 0;
  for (const card of cards) {
    const grade = entry(card).grade;
    card.classList.toggle("graded", Boolean(grade));
    if (grade) done += 1;
  }
  document.getElementById("progress").value = done;
  document.getElementById("done").textContent = done + " of " + cards.length + " graded";
}
function note(card, change) {
  state.grades[card.dataset.key] = Object.assign(entry(card), change, {at: new Date().toISOString()});
  keep();
  show();
}
function go(card) {
  if (!card) return;
  card.focus({preventScroll: true});
  card.scrollIntoView({block: "start"});
}
function plain(card, hidden) {
  const image = card && card.querySelector("img");
  if (!image || !image.dataset.plain) return;
  if (!image.dataset.heat) image.dataset.heat = image.src;
  image.src = hidden ? image.dataset.plain : image.dataset.heat;
}
function cell(text) {
  let value = String(text === undefined ? "" : text);
  if (/^[=+\-@\t]/.test(value)) value = "'" + value;
  return '"' + value.replaceAll('"', '""').replace(/[\r\n]+/g, " ") + '"';
}
function csv() {
  const rows = [["reader", "scan", "picture", "grade", "remark", "graded_at"].join(",")];
  for (const card of cards) {
    const e = entry(card);
    rows.push([state.reader, card.dataset.scan, card.dataset.key, e.grade, e.remark, e.at].map(cell).join(","));
  }
  return rows.join("\r\n") + "\r\n";
}

reader.value = state.reader;
reader.addEventListener("input", () => { state.reader = reader.value; keep(); });
for (const card of cards) {
  for (const radio of radios(card)) {
    radio.checked = radio.value === entry(card).grade;
    radio.addEventListener("change", () => note(card, {grade: radio.value}));
  }
  remark(card).value = entry(card).remark || "";
  remark(card).addEventListener("input", () => note(card, {remark: remark(card).value}));
  const image = card.querySelector("img");
  image.addEventListener("pointerdown", () => plain(card, true));
  for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
    image.addEventListener(end, () => plain(card, false));
  }
}
document.addEventListener("keydown", event => {
  const card = document.activeElement && document.activeElement.closest("article");
  if (event.target.matches("input[type=text], #reader")) {
    if (event.key === "Escape" && card) card.focus();
    return;
  }
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const at = cards.indexOf(card);
  const key = event.key;
  if (card && ["1", "2", "3"].includes(key)) {
    const radio = radios(card)[Number(key) - 1];
    radio.checked = true;
    note(card, {grade: radio.value});
    go(cards[at + 1]);
  } else if (key === "ArrowRight" || key === "ArrowDown" || key === "j") go(cards[Math.min(at + 1, cards.length - 1)]);
  else if (key === "ArrowLeft" || key === "ArrowUp" || key === "k") go(cards[Math.max(at - 1, 0)]);
  else if (card && key === "r") remark(card).focus();
  else if (card && key === "h") { plain(card, true); return; }
  else return;
  event.preventDefault();
});
document.addEventListener("keyup", event => {
  if (event.key === "h") cards.forEach(card => plain(card, false));
});
document.getElementById("next").addEventListener("click", () => go(cards.find(card => !entry(card).grade)));
document.getElementById("clear").addEventListener("click", () => {
  if (!confirm("Clear all grades and remarks of this sheet?")) return;
  state = {reader: state.reader, grades: {}};
  keep();
  for (const card of cards) { radios(card).forEach(r => { r.checked = false; }); remark(card).value = ""; }
  show();
});
document.getElementById("export").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], {type: "text/csv;charset=utf-8"}));
  link.download = "grades.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
show();
"""
