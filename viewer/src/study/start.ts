import type { SeriesImages } from "../types";

/** The series to open first: of those with slices, the one most likely to show something. */
export function chosenSeries(all: SeriesImages[]): number {
  const score = (one: SeriesImages): number => (one.slices.length === 0 ? -1 : (one.findings?.["any"]?.probability ?? 0));
  let best = 0;
  all.forEach((one, k) => {
    if (score(one) > score(all[best]!)) best = k;
  });
  return best;
}

/** The slice to open at: the strongest when something is suspected, else the middle. */
export function startOf(series: SeriesImages): number {
  const any = series.findings?.["any"];
  const found = Object.values(series.findings ?? {}).some((one) => one.state !== "absent");
  return any && found ? any.strongest : Math.floor(series.slices.length / 2);
}
