import type { Finding, Label, SeriesImages } from "../types";

type Scan = Record<Label, { probability: number; threshold: number }>;
type Loose = Partial<SeriesImages> & { scan?: Scan; slice_thresholds?: Record<Label, number> };

/** One series as the viewer works on it, from GET /api/studies/{id}/images; series that were not analysed lack much. */
export function seriesOf(told: unknown): SeriesImages {
  const loose = told as Loose;
  return {
    series_instance_uid: loose.series_instance_uid ?? "",
    description: loose.description ?? "",
    reason: loose.reason ?? null,
    rows: loose.rows ?? 0,
    cols: loose.cols ?? 0,
    spacing_mm: loose.spacing_mm ?? null,
    orientation: loose.orientation ?? null,
    slices: loose.slices ?? [],
    labels: loose.labels ?? [],
    thresholds: loose.thresholds ?? loose.slice_thresholds ?? {},
    findings: merged(loose.findings ?? null, loose.scan ?? {}),
    heat: loose.heat ?? {},
  };
}

function merged(findings: Record<Label, Finding> | null, scan: Scan): Record<Label, Finding> | null {
  if (!findings || Object.keys(findings).length === 0) return null;
  return Object.fromEntries(Object.entries(findings).map(([label, one]) => [label, { ...one, ...scan[label] }]));
}

/** All series of an answer, which is a list or an object that holds one. */
export function seriesOfAnswer(answer: unknown): SeriesImages[] {
  const list = Array.isArray(answer) ? answer : ((answer as { series?: unknown[] }).series ?? []);
  return list.map(seriesOf);
}
