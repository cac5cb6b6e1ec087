import { bytes } from "../api";
import type { Label, SeriesImages } from "../types";
import { type Geometry, geometryOf, turned } from "./geometry";

const AT_ONCE = 5;
const PREFETCH = { "X-Purpose": "prefetch" };

export interface HeatMap {
  rows: number;
  cols: number;
  values: Uint8Array;
}

interface Wanted {
  index: number;
  start: () => void;
}

/** The slices of one series: each is asked for once, those nearest to what is looked at first. */
export class SliceStore {
  readonly geometry: Geometry;
  readonly series: SeriesImages;
  private readonly base: string;
  private readonly query: string;
  private readonly kept = new Map<number, Promise<Int16Array>>();
  private readonly ready = new Map<number, Int16Array>();
  private readonly heats = new Map<string, Promise<HeatMap | null>>();
  private readonly stop = new AbortController();
  private readonly waiting: Wanted[] = [];
  private readonly prefetching: boolean;
  private running = 0;
  private focus = 0;
  onProgress: (loaded: number) => void = () => undefined;

  constructor(study: number, number: number, series: SeriesImages, result: number | null, prefetching = false) {
    this.series = series;
    this.geometry = geometryOf(series);
    this.base = `/api/studies/${study}/images/${number}`;
    this.query = result === null ? "" : `?g=${result}`;
    this.prefetching = prefetching;
  }

  get count(): number {
    return this.series.slices.length;
  }

  get loaded(): number {
    return this.ready.size;
  }

  has(index: number): boolean {
    return this.ready.has(index);
  }

  /** HU of a slice that has come already. */
  pixels(index: number): Int16Array | undefined {
    return this.ready.get(index);
  }

  /** HU of a slice, int16, in rows as shown. */
  slice(index: number): Promise<Int16Array> {
    let found = this.kept.get(index);
    if (!found) {
      found = this.queued(index).then((data) => this.checked(index, data));
      found.then(
        (pixels) => {
          this.ready.set(index, pixels);
          this.onProgress(this.ready.size);
        },
        () => this.kept.delete(index),
      );
      this.kept.set(index, found);
    }
    this.focus = this.prefetching ? this.focus : index;
    return found;
  }

  /** Asks for all slices, from `index` outwards. */
  fetchAll(index: number, most = Infinity): void {
    this.focus = index;
    const order = this.series.slices.map((_, i) => i).sort((a, b) => Math.abs(a - index) - Math.abs(b - index));
    for (const i of order.slice(0, most)) {
      if (this.kept.has(i)) continue;
      void this.slice(i).catch(() => undefined); // told when it is shown; asked for again then
    }
    this.focus = index;
  }

  /** Heat of a label on a slice, or null where the model sees nothing. */
  heat(label: Label, index: number): Promise<HeatMap | null> {
    if (!this.series.heat[label]?.includes(index)) return Promise.resolve(null);
    const key = `${label}/${index}`;
    let found = this.heats.get(key);
    if (!found) {
      found = this.loadHeat(key);
      found.catch(() => this.heats.delete(key));
      this.heats.set(key, found);
    }
    return found;
  }

  /** Ends what is under way. */
  close(): void {
    this.waiting.length = 0;
    this.stop.abort();
  }

  private async loadHeat(key: string): Promise<HeatMap | null> {
    const { data, headers } = await bytes(`${this.base}/heat/${key}${this.query}`, { signal: this.stop.signal });
    const [rows = 0, cols = 0] = (headers.get("X-Shape") ?? "").split(",").map(Number);
    if (rows * cols !== data.byteLength) throw new Error("The heat map is not of the size that is told.");
    return { rows, cols, values: turned(new Uint8Array(data), rows, cols, this.geometry) };
  }

  private queued(index: number): Promise<ArrayBuffer> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        this.running += 1;
        const options: RequestInit = { signal: this.stop.signal };
        if (this.prefetching) options.headers = PREFETCH;
        bytes(`${this.base}/${index}${this.query}`, options)
          .then((answer) => resolve(answer.data), reject)
          .finally(() => {
            this.running -= 1;
            this.next();
          });
      };
      this.waiting.push({ index, start });
      queueMicrotask(() => this.next());
    });
  }

  private next(): void {
    while (this.running < AT_ONCE && this.waiting.length > 0) {
      const far = (one: Wanted): number => Math.abs(one.index - this.focus);
      let best = 0;
      this.waiting.forEach((one, k) => {
        if (far(one) < far(this.waiting[best]!)) best = k;
      });
      this.waiting.splice(best, 1)[0]!.start();
    }
  }

  private checked(index: number, data: ArrayBuffer): Int16Array {
    const { rows, cols } = this.series;
    if (data.byteLength !== rows * cols * 2) {
      throw new Error(`Slice ${index + 1}: expected ${rows} x ${cols} pixels, found ${data.byteLength / 2}.`);
    }
    return turned(new Int16Array(data), rows, cols, this.geometry);
  }
}
