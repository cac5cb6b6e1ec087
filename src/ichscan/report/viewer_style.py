"""Style of the HTML viewer: dark, one or two columns, black on white in print."""

from typing import Final

STYLE: Final = """
:root { color-scheme: dark; --back: #14181d; --raised: #1e242b; --line: #4a545f; --text: #e8eaec; --dim: #b3bbc4;
  --alert: #ff8a80; --unsure: #ffc766; --here: #7cc4ff; }
* { box-sizing: border-box; }
html { background: var(--back); color: var(--text); }
body { margin: 0; font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
:focus-visible { outline: 3px solid var(--here); outline-offset: 2px; }
header { position: sticky; top: 0; z-index: 2; display: flex; flex-wrap: wrap; gap: .1rem 1.5rem; align-items: baseline;
  padding: .4rem 1rem; background: var(--raised); border-bottom: 1px solid var(--line); }
h1 { font-size: 1.05rem; margin: 0; }
h2 { font-size: 1rem; margin: 1.1rem 0 .3rem; }
h3 { font-size: .9rem; margin: .8rem 0 .1rem; color: var(--dim); }
p { margin: .15rem 0; overflow-wrap: anywhere; }
.notice { color: var(--unsure); font-weight: 600; margin: 0; }
main { display: grid; grid-template-columns: minmax(0, 1.25fr) minmax(20rem, 1fr); gap: 1rem; padding: .6rem 1rem; }
.viewer { position: sticky; top: 2.8rem; align-self: start; min-width: 0; }
.bar { display: flex; flex-wrap: wrap; gap: .3rem .35rem; align-items: center; margin-bottom: .4rem;
  font-size: .82rem; }
button { font: inherit; color: var(--text); background: var(--raised); border: 1px solid var(--line);
  border-radius: .35rem; padding: .3rem .6rem; min-height: 2.2rem; cursor: pointer; }
button:hover { border-color: var(--here); }
button[aria-pressed="true"] { border-color: var(--here); box-shadow: inset 0 0 0 1px var(--here); }
label { display: inline-flex; gap: .35rem; align-items: center; min-height: 2.2rem; }
input { accent-color: var(--here); }
#opacity { width: 4.5rem; }
.bar button { padding: .3rem .45rem; }
.stage { position: relative; background: #000; display: flex; justify-content: center; }
.frame { position: relative; height: min(calc(100vh - 18.6rem), 75vw); min-height: 12rem; max-width: 100%; }
canvas { display: block; width: 100%; height: 100%; }
#picture { touch-action: none; cursor: ns-resize; }
.edge { position: absolute; color: #fff; font-weight: 700; text-shadow: 0 0 3px #000, 0 0 3px #000;
  pointer-events: none; }
.at-left { left: .3rem; top: 48%; } .at-right { right: .3rem; top: 48%; }
.at-top { top: .1rem; left: 49%; } .at-bottom { bottom: .1rem; left: 49%; }
#mark { position: absolute; width: 2.6rem; height: 2.6rem; margin: -1.3rem; border: 2px dashed var(--here);
  border-radius: 50%; pointer-events: none; }
#where { min-height: 2.75rem; margin: .35rem 0 .1rem; font-variant-numeric: tabular-nums; }
#strip { display: block; width: 100%; height: 3.2rem; background: var(--raised); cursor: pointer; }
#strip rect.bar { fill: #8f9aa6; } #strip rect.over { fill: var(--alert); }
#strip rect.here { fill: rgba(124, 196, 255, .35); } #strip rect.hit { fill: transparent; }
#strip line { stroke: var(--unsure); stroke-width: 1.5; stroke-dasharray: 5 3; vector-effect: non-scaling-stroke; }
#slice { display: block; width: 100%; margin: .2rem 0; min-height: 1.8rem; }
.legend, .small { font-size: .82rem; color: var(--dim); }
.ramp { display: inline-block; width: 5rem; height: .6rem; background: linear-gradient(90deg, #333, #f00, #ff0); }
.panel { min-width: 0; max-width: 46rem; }
.panel section:first-child h2 { margin-top: 0; }
.summary { border-left: 4px solid var(--line); padding: .2rem .6rem; font-weight: 600; }
.summary.present { border-color: var(--alert); } .summary:is(.uncertain, .incomplete) { border-color: var(--unsure); }
ul.findings { list-style: none; margin: 0; padding: 0; display: grid; gap: .3rem; }
ul.findings button { display: grid; grid-template-columns: 1fr auto; width: 100%; text-align: left; gap: 0 .6rem; }
.present b { color: var(--alert); } .uncertain b { color: var(--unsure); } .absent b { font-weight: 400; }
ul.findings .small { grid-column: 1 / -1; }
kbd { border: 1px solid var(--line); border-radius: .2rem; padding: 0 .3rem; font-size: .8rem; }
.figures { display: none; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
@media screen and (max-width: 1000px) {
  main { grid-template-columns: minmax(0, 1fr); }
  .viewer { position: static; }
  .panel { display: contents; }
  .panel > section:first-child { order: -1; }
  ul.findings { grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); }
  .frame { height: min(max(calc(100vh - 36rem), 22rem), 94vw); }
}
@media print {
  :root { color-scheme: light; --back: #fff; --raised: #fff; --text: #000; --dim: #333; --alert: #a00; --unsure: #000;
    --line: #888; }
  html { font-size: 10pt; }
  header { position: static; padding: .2rem 0; }
  main { display: block; padding: 0; }
  .viewer, .keys, #print { display: none; }
  ul.findings button { border: 0; padding: .1rem 0; min-height: 0; box-shadow: none; }
  .figures { display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem; }
  figure { margin: 0; break-inside: avoid; }
  .pictured { position: relative; }
  .pictured .edge { print-color-adjust: exact; font-size: 8pt; }
  figcaption { font-size: 8pt; }
  figure canvas { print-color-adjust: exact; height: auto; }
  h2, h3 { break-after: avoid; }
}
"""
