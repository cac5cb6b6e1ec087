import { pixel } from "./geometry";
import type { SliceStore } from "./slices";

/** What an ellipse on a slice holds; area in mm² or, without spacing, in pixels; HU. */
export interface Region {
  area: number;
  unit: string;
  count: number;
  mean: number;
  deviation: number;
  least: number;
  most: number;
}

/**
 * Figures of an ellipse along rows and columns, from the ends of its axes (bottom, top, left, right).
 *
 * Counted are pixels whose centre lies inside; the deviation is that of these pixels, not of a sample of more.
 */
export function region(store: SliceStore, index: number, points: readonly ArrayLike<number>[]): Region | null {
  const pixels = store.pixels(index);
  const [bottom, top, left, right] = points;
  if (!pixels || !bottom || !top || !left || !right) return null;
  const { geometry } = store;
  const high = Math.abs(pixel(geometry, bottom)[0] - pixel(geometry, top)[0]) / 2;
  const wide = Math.abs(pixel(geometry, right)[1] - pixel(geometry, left)[1]) / 2;
  const row = (pixel(geometry, bottom)[0] + pixel(geometry, top)[0]) / 2;
  const column = (pixel(geometry, left)[1] + pixel(geometry, right)[1]) / 2;
  const found = { count: 0, sum: 0, squares: 0, least: Infinity, most: -Infinity };
  for (let r = Math.max(0, Math.ceil(row - high)); r <= Math.min(geometry.rows - 1, row + high); r++) {
    const half = wide * Math.sqrt(Math.max(0, 1 - ((r - row) / high) ** 2));
    for (let c = Math.max(0, Math.ceil(column - half)); c <= Math.min(geometry.cols - 1, column + half); c++) {
      const value = pixels[r * geometry.cols + c]!;
      found.count += 1;
      found.sum += value;
      found.squares += value * value;
      found.least = Math.min(found.least, value);
      found.most = Math.max(found.most, value);
    }
  }
  if (found.count === 0) return null;
  const mean = found.sum / found.count;
  return {
    area: Math.PI * high * geometry.rowMm * wide * geometry.colMm, unit: geometry.measured ? "mm²" : "px²",
    count: found.count, mean, deviation: Math.sqrt(Math.max(0, found.squares / found.count - mean * mean)),
    least: found.least, most: found.most,
  };
}
