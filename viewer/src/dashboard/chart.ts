import { h, s } from "../dom";

export interface Bar {
  /** What the bar stands for, e.g. a date. */
  name: string;
  value: number;
  /** The part of it that is drawn in the colour of alarm. */
  part: number;
  hint: string;
}

const WIDTH = 640;
const HEIGHT = 150;
const FOOT = 18;
const HEAD = 14;

/** Bars over a common base, with the part that is positive in another colour. Figures are also in a table below. */
export function bars(label: string, list: Bar[], every: number): SVGElement {
  const most = Math.max(1, ...list.map((one) => one.value));
  const step = WIDTH / Math.max(1, list.length);
  const tall = (value: number): number => ((HEIGHT - FOOT - HEAD) * value) / most;
  const base = HEIGHT - FOOT;
  const rect = (k: number, value: number, kind: string): SVGElement => s("rect", {
    class: kind, x: k * step + step * 0.12, y: base - tall(value), width: step * 0.76, height: tall(value) });
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": label },
    s("line", { x1: 0, x2: WIDTH, y1: base, y2: base, class: "axis" }),
    s("text", { x: 0, y: 10, class: "scale" }, `most ${most}`),
    ...list.map((one, k) => s("g", {}, s("title", {}, one.hint), rect(k, one.value, "all"), rect(k, one.part, "part"))),
    ...list.flatMap((one, k) => k % every === 0
      ? [s("text", { x: k * step + step / 2, y: HEIGHT - 4, class: "tick", "text-anchor": k === 0 ? "start" : "middle" }, one.name)]
      : []));
}

/** A large figure with its name. */
export function figure(name: string, value: string, note = ""): HTMLElement {
  return h("div", { class: "figure-card" }, h("p", { class: "dim" }, name), h("p", { class: "big" }, value),
    h("p", { class: "dim" }, note));
}

/** A share as a bar with its figures. */
export function share(part: number | null): HTMLElement {
  const bar = h("span", { class: "share", "aria-hidden": "true" }, h("span", {}));
  (bar.firstElementChild as HTMLElement).style.setProperty("inline-size", `${100 * (part ?? 0)}%`);
  return h("span", { class: "row share-row" }, bar, h("span", {}, percent(part)));
}

export function percent(value: number | null): string {
  return value === null ? "–" : `${(100 * value).toFixed(value < 0.1 && value > 0 ? 1 : 0)} %`;
}
