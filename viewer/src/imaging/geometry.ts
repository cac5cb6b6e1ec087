import type { SeriesImages } from "../types";

export type Vector = [number, number, number];

/**
 * How the slices of a series are shown: the patient's right on the left, anterior up. Slices are turned so far when
 * they are loaded that rows and columns only have to be drawn as they come.
 */
export interface Geometry {
  rows: number;
  cols: number;
  rowMm: number;
  colMm: number;
  /** Whether mm are known. */
  measured: boolean;
  flipX: boolean;
  flipY: boolean;
  edges: { left: string; right: string; top: string; bottom: string } | null;
}

const AXES: [string, string][] = [["L", "R"], ["P", "A"], ["H", "F"]];
const SECOND = 0.4;

/** Letters of the direction (PS3.3 C.7.6.1.1.1), the strongest first; a second one only when it says much. */
export function letters(direction: Vector): string {
  return direction
    .map((value, axis) => ({ size: Math.abs(value), letter: AXES[axis]![value > 0 ? 0 : 1] }))
    .sort((a, b) => b.size - a.size)
    .filter((one, place) => one.size > (place === 0 ? 0 : SECOND))
    .slice(0, 2)
    .map((one) => one.letter)
    .join("");
}

const times = (v: Vector, by: number): Vector => [v[0] * by, v[1] * by, v[2] * by];

export function geometryOf(series: SeriesImages): Geometry {
  const told = series.orientation;
  const known = told !== null && told.length === 6;
  const row = (known ? told.slice(0, 3) : [1, 0, 0]) as Vector;
  const column = (known ? told.slice(3) : [0, 1, 0]) as Vector;
  const flipX = strongest(row) < 0;
  const flipY = strongest(column) < 0;
  const across = times(row, flipX ? -1 : 1);
  const down = times(column, flipY ? -1 : 1);
  const [rowMm, colMm] = series.spacing_mm ?? [1, 1];
  return {
    rows: series.rows, cols: series.cols, rowMm, colMm, measured: series.spacing_mm !== null, flipX, flipY,
    edges: known
      ? {
          left: letters(times(across, -1)), right: letters(across),
          top: letters(times(down, -1)), bottom: letters(down),
        }
      : null,
  };
}

function strongest(direction: Vector): number {
  return direction.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
}

/** A pixel as acquired -> as shown, and back; the centre of the first pixel is (0, 0). */
export function shown(geometry: Geometry, row: number, column: number): [number, number] {
  return [
    geometry.flipY ? geometry.rows - 1 - row : row,
    geometry.flipX ? geometry.cols - 1 - column : column,
  ];
}

/** Turns pixels in row order as the geometry says; the same array when there is nothing to turn. */
export function turned<T extends Int16Array | Uint8Array>(pixels: T, rows: number, cols: number, geometry: Geometry): T {
  if (!geometry.flipX && !geometry.flipY) return pixels;
  const out = pixels.slice() as T;
  for (let row = 0; row < rows; row++) {
    const from = (geometry.flipY ? rows - 1 - row : row) * cols;
    const line = pixels.subarray(from, from + cols);
    out.set(line, row * cols);
    if (geometry.flipX) out.subarray(row * cols, (row + 1) * cols).reverse();
  }
  return out;
}

/**
 * The frame that Cornerstone works in: x along the rows, y along the columns, z along the normal of the slices as they
 * are shown, mm. It is not the patient's: measurements are the same in each, and are simple in one without tilt.
 */
export const ACROSS: Vector = [1, 0, 0];
export const DOWN: Vector = [0, 1, 0];

/** The point of a pixel of the slice at `position` mm along the normal. */
export function world(geometry: Geometry, position: number, row: number, column: number): Vector {
  return [column * geometry.colMm, row * geometry.rowMm, position];
}

/** The pixel (row, column), fractional, of a point. */
export function pixel(geometry: Geometry, point: ArrayLike<number>): [number, number] {
  return [(point[1] ?? 0) / geometry.rowMm, (point[0] ?? 0) / geometry.colMm];
}
