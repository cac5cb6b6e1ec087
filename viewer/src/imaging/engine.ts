import {
  cache, Enums, imageLoader, init as initCore, metaData, RenderingEngine, type Types,
} from "@cornerstonejs/core";
import { init as initTools } from "@cornerstonejs/tools";
import { ACROSS, DOWN, world } from "./geometry";
import type { SliceStore } from "./slices";
import { BRAIN } from "./windows";

const SCHEME = "ichscan";
const CACHE_BYTES = 512 * 1024 * 1024;
const stores = new Map<string, SliceStore>();
let engine: RenderingEngine | null = null;
let numbered = 0;

interface Found {
  store: SliceStore;
  key: string;
  index: number;
}

function found(imageId: string): Found | null {
  const [scheme, rest = ""] = imageId.split(":");
  const [key = "", index = ""] = rest.split("/");
  const store = stores.get(key);
  return scheme === SCHEME && store ? { store, key, index: Number(index) } : null;
}

/** Image ids of a series, until `forget`. */
export function register(store: SliceStore): { ids: string[]; forget: () => void } {
  numbered += 1;
  const key = `s${numbered}`;
  stores.set(key, store);
  const ids = store.series.slices.map((_, index) => `${SCHEME}:${key}/${index}`);
  const forget = (): void => {
    stores.delete(key);
    store.close();
    cache.purgeCache();
  };
  return { ids, forget };
}

/** The series and slice of an image id, also of one that Cornerstone has put a word before ("imageId:"). */
export function sliceOf(target: string): { store: SliceStore; index: number } | null {
  return found(target.replace(/^imageId:/, ""));
}

/** What Cornerstone asks about an image: DICOM modules by name. */
function provide(type: string, imageId: unknown): unknown {
  const one = typeof imageId === "string" ? found(imageId) : null;
  if (!one) return undefined;
  const { geometry, series } = one.store;
  switch (type) {
    case "imagePixelModule":
      return {
        bitsAllocated: 16, bitsStored: 16, highBit: 15, pixelRepresentation: 1, samplesPerPixel: 1,
        photometricInterpretation: "MONOCHROME2", rows: geometry.rows, columns: geometry.cols,
      };
    case "generalSeriesModule":
      return { modality: "CT", seriesInstanceUID: series.series_instance_uid };
    case "imagePlaneModule":
      return {
        frameOfReferenceUID: one.key, rows: geometry.rows, columns: geometry.cols,
        imageOrientationPatient: [...ACROSS, ...DOWN], rowCosines: ACROSS, columnCosines: DOWN,
        imagePositionPatient: world(geometry, series.slices[one.index]!.position_mm, 0, 0),
        pixelSpacing: [geometry.rowMm, geometry.colMm],
        rowPixelSpacing: geometry.rowMm, columnPixelSpacing: geometry.colMm,
        usingDefaultValues: !geometry.measured,
      };
    case "voiLutModule":
      return { windowCenter: BRAIN.centre, windowWidth: BRAIN.width, voiLUTFunction: "LINEAR_EXACT" };
    case "modalityLutModule":
      return { rescaleSlope: 1, rescaleIntercept: 0, rescaleType: "HU" };
    default:
      return undefined;
  }
}

function asImage(imageId: string, one: Found, pixels: Int16Array): Types.IImage {
  const { rows, cols, rowMm, colMm } = one.store.geometry;
  let least = Infinity;
  let most = -Infinity;
  for (const value of pixels) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return {
    imageId, rows, columns: cols, height: rows, width: cols, rowPixelSpacing: rowMm, columnPixelSpacing: colMm,
    slope: 1, intercept: 0, minPixelValue: least, maxPixelValue: most,
    windowCenter: BRAIN.centre, windowWidth: BRAIN.width, voiLUTFunction: Enums.VOILUTFunctionType.LINEAR_EXACT,
    invert: false, color: false, rgba: false, numberOfComponents: 1, photometricInterpretation: "MONOCHROME2",
    sizeInBytes: pixels.byteLength, dataType: "Int16Array", isPreScaled: true,
    preScale: { enabled: true, scaled: true, scalingParameters: { modality: "CT", rescaleSlope: 1, rescaleIntercept: 0 } },
    getPixelData: () => pixels,
    getCanvas: () => { throw new Error("this image has no canvas"); },
  };
}

/** Panes have the slice already when they ask; of a series that was left, nobody waits for an answer. */
async function load(imageId: string): Promise<Types.IImage> {
  const one = found(imageId);
  if (!one) return new Promise(() => undefined);
  return asImage(imageId, one, await one.store.slice(one.index));
}

/** The one rendering engine of the page. Without a graphics processor, Cornerstone draws with the processor. */
export function renderingEngine(): RenderingEngine {
  if (!engine) {
    // one drawing context serves all panes: each more costs time when the first study is opened
    initCore({ rendering: { webGlContextCount: 1 } } as Parameters<typeof initCore>[0]);
    initTools();
    cache.setMaxCacheSize(CACHE_BYTES);
    metaData.addProvider(provide, 100);
    imageLoader.registerImageLoader(SCHEME, (imageId: string) => ({ promise: load(imageId) }));
    engine = new RenderingEngine("ichscan");
  }
  return engine;
}
