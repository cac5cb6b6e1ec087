import { h } from "../dom";
import { probability } from "../format";
import { LABELS, nameOf, shortOf } from "../labels";
import type { Label, SeriesImages } from "../types";

const ROW = 17;
const GAP = 3;
const COLOURS = { base: "#161d25", low: "#64788c", high: "#ff6b5e", threshold: "#ffc766", here: "#7cdcff" };

/**
 * Height of a probability in its row, so that the threshold of each label lies at half the height: rows can then be
 * compared although thresholds differ.
 */
export function level(value: number, threshold: number): number {
  if (value < threshold) return (0.5 * value) / threshold;
  return threshold >= 1 ? 1 : 0.5 + (0.5 * (value - threshold)) / (1 - threshold);
}

export interface Strip {
  element: HTMLElement;
  update: (index: number, label: Label) => void;
  /** Which slices have arrived, as a line below. */
  loaded: (has: (index: number) => boolean) => void;
  leave: () => void;
}

/** Probabilities along the slices, one row per label; a click or drag goes to a slice. */
export function strip(series: SeriesImages, goTo: (index: number) => void, choose: (label: Label) => void): Strip {
  const labels = LABELS.filter((label) => series.labels.includes(label));
  const count = series.slices.length;
  const canvas = h("canvas", { class: "strip-canvas" });
  const slider = h("div", {
    class: "strip-slider", role: "slider", tabindex: 0, "aria-label": "Slice", "aria-orientation": "horizontal",
    "aria-valuemin": 1, "aria-valuemax": count,
  }, canvas);
  const names = labels.map((label) =>
    h("button", { type: "button", class: "strip-name", title: `${nameOf(label)}: show its heat`, "data-label": label,
      onclick: () => choose(label) }, shortOf(label)));
  const element = h("section", { class: "strip", "aria-label": "Probability along the slices" },
    h("div", { class: "strip-names" }, ...names), slider);
  let index = 0;
  let active: Label = "any";
  let arrived: (index: number) => boolean = () => false;

  const draw = (): void => {
    const ratio = window.devicePixelRatio || 1;
    const width = slider.clientWidth;
    const height = labels.length * (ROW + GAP) + 4;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    if (!context || width === 0) return;
    context.scale(ratio, ratio);
    const step = width / count;
    labels.forEach((label, row) => {
      const top = row * (ROW + GAP);
      context.fillStyle = COLOURS.base;
      context.fillRect(0, top, width, ROW);
      drawBars(context, series, label, top, step, label === active);
    });
    context.fillStyle = COLOURS.low;
    for (let i = 0; i < count; i++) if (arrived(i)) context.fillRect(i * step, height - 2, Math.ceil(step), 2);
    context.strokeStyle = COLOURS.here;
    context.lineWidth = 1.5;
    context.strokeRect(index * step + 0.75, 0.75, Math.max(step - 1.5, 2), height - 4.5);
  };
  const at = (event: PointerEvent): number => {
    const box = slider.getBoundingClientRect();
    return Math.min(count - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * count)));
  };
  slider.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    slider.setPointerCapture(event.pointerId);
    goTo(at(event));
    const row = labels[Math.floor((event.clientY - slider.getBoundingClientRect().top) / (ROW + GAP))];
    if (row && row !== active) choose(row);
  });
  slider.addEventListener("pointermove", (event) => {
    slider.title = hint(series, at(event));
    if (slider.hasPointerCapture(event.pointerId)) goTo(at(event));
  });
  const resize = new ResizeObserver(draw);
  resize.observe(slider);
  return {
    element,
    update: (now, label) => {
      index = now;
      active = label;
      names.forEach((name) => name.setAttribute("aria-pressed", String(name.dataset["label"] === label)));
      slider.setAttribute("aria-valuenow", String(now + 1));
      slider.setAttribute("aria-valuetext", `${now + 1} of ${count}. ${hint(series, now)}`);
      draw();
    },
    loaded: (has) => {
      arrived = has;
      draw();
    },
    leave: () => resize.disconnect(),
  };
}

function drawBars(context: CanvasRenderingContext2D, series: SeriesImages, label: Label, top: number, step: number,
  active: boolean): void {
  const threshold = series.thresholds[label] ?? 0.5;
  series.slices.forEach((slice, i) => {
    const value = slice.probabilities?.[label];
    if (value === undefined) return;
    const tall = Math.max(1, level(value, threshold) * ROW);
    context.fillStyle = value >= threshold ? COLOURS.high : COLOURS.low;
    context.globalAlpha = active ? 1 : 0.75;
    context.fillRect(i * step + 0.5, top + ROW - tall, Math.max(step - 1, 1), tall);
  });
  context.globalAlpha = active ? 0.95 : 0.45;
  context.strokeStyle = COLOURS.threshold;
  context.lineWidth = 1;
  context.setLineDash([4, 3]);
  context.beginPath();
  context.moveTo(0, top + ROW / 2);
  context.lineTo(step * series.slices.length, top + ROW / 2);
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function hint(series: SeriesImages, index: number): string {
  const told = series.slices[index]?.probabilities;
  if (!told) return "No probabilities";
  return LABELS.filter((label) => told[label] !== undefined)
    .map((label) => `${nameOf(label)} ${probability(told[label]!)}`).join(", ");
}
