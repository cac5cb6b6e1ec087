import type { HeatMap } from "./slices";

/** Colour and opacity of heat: none, red, yellow; weak heat stays faint so that the brain is seen through it. */
function palette(): Uint8ClampedArray {
  const out = new Uint8ClampedArray(256 * 4);
  for (let value = 0; value < 256; value++) {
    const share = value / 255;
    out.set([255, Math.max(0, (share - 0.35) / 0.65) * 225, 30 * (1 - share), Math.min(1, share * 1.35) * 255], value * 4);
  }
  return out;
}

const COLOURS = palette();

/** The map as a picture of its own size, to be drawn over the slice. */
export function picture(map: HeatMap): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = map.cols;
  canvas.height = map.rows;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser cannot draw");
  const image = context.createImageData(map.cols, map.rows);
  map.values.forEach((value, k) => image.data.set(COLOURS.subarray(value * 4, value * 4 + 4), k * 4));
  context.putImageData(image, 0, 0);
  return canvas;
}
