import type { Place } from "../types";
import { shown, world, type Geometry } from "./geometry";

type Point = [number, number];
export type ToCanvas = (point: [number, number, number]) => ArrayLike<number>;

export interface Overlay {
  heat: HTMLCanvasElement | null;
  opacity: number;
  place: Place | null;
}

const MARK = 22;

/** Draws heat and the mark of the strongest evidence over a slice, wherever pan and zoom have put it. */
export function draw(
  canvas: HTMLCanvasElement, width: number, height: number, what: Overlay, geometry: Geometry, position: number,
  toCanvas: ToCanvas,
): void {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, wide, high);
  const at = (row: number, column: number): Point => {
    const point = toCanvas(world(geometry, position, row, column));
    return [(point[0] ?? 0) * ratio, (point[1] ?? 0) * ratio];
  };
  if (what.heat && what.opacity > 0) drawHeat(context, what.heat, what.opacity, geometry, at);
  if (what.place) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    drawMark(context, at(...shown(geometry, what.place.row, what.place.column)), ratio);
  }
}

function drawHeat(
  context: CanvasRenderingContext2D, heat: HTMLCanvasElement, opacity: number, geometry: Geometry,
  at: (row: number, column: number) => Point,
): void {
  // corners of the slice: pixels reach half a pixel beyond their centres
  const { rows, cols } = geometry;
  const origin = at(-0.5, -0.5);
  const right = at(-0.5, cols - 0.5);
  const below = at(rows - 0.5, -0.5);
  context.globalAlpha = opacity;
  context.imageSmoothingQuality = "high";
  context.setTransform(
    (right[0] - origin[0]) / heat.width, (right[1] - origin[1]) / heat.width,
    (below[0] - origin[0]) / heat.height, (below[1] - origin[1]) / heat.height, origin[0], origin[1],
  );
  context.drawImage(heat, 0, 0);
  context.globalAlpha = 1;
}

function drawMark(context: CanvasRenderingContext2D, [x, y]: Point, ratio: number): void {
  for (const [colour, wide] of [["rgba(0, 0, 0, 0.7)", 3.5], ["#7cdcff", 1.5]] as const) {
    context.strokeStyle = colour;
    context.lineWidth = wide * ratio;
    context.setLineDash([6 * ratio, 4 * ratio]);
    context.beginPath();
    context.arc(x, y, MARK * ratio, 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
}
