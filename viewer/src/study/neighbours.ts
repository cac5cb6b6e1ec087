import { get } from "../api";
import { seriesOfAnswer } from "../imaging/series";
import { SliceStore } from "../imaging/slices";
import type { Row } from "../types";
import { fetchList } from "../worklist/list";
import { chosenSeries, startOf } from "./start";

const MOST_SLICES = 80;

/** The studies before and after one in the worklist as it is filtered. */
export async function neighbours(id: number): Promise<{ before: Row | null; after: Row | null }> {
  const { studies } = await fetchList();
  const at = studies.findIndex((row) => row.id === id);
  return { before: studies[at - 1] ?? null, after: studies[at + 1] ?? null };
}

/** Has the browser fetch the slices of the study that is probably looked at next. */
export async function prefetch(row: Row, signal: AbortSignal): Promise<void> {
  if (row.result_id === null || row.status !== "analysed") return;
  const headers = { "X-Purpose": "prefetch" };
  const all = seriesOfAnswer(await get<unknown>(`/api/studies/${row.id}/images`, { headers, signal }));
  const number = chosenSeries(all);
  const series = all[number];
  if (!series || signal.aborted) return;
  const store = new SliceStore(row.id, number, series, row.result_id, true);
  signal.addEventListener("abort", () => store.close());
  store.fetchAll(startOf(series), MOST_SLICES);
}
