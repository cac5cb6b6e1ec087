import { get } from "../api";
import type { Listing } from "../types";

/** What the worklist shows; kept while one looks at studies, so that "next" goes on in the same list. */
export interface Filter {
  status: string;
  suspected: boolean;
  unread: boolean;
  text: string;
  offset: number;
}

export const PAGE = 100;
export const filter: Filter = { status: "", suspected: false, unread: true, text: "", offset: 0 };

/** The studies of the filter, most urgent first. What is searched for goes in a header: addresses are logged. */
export function fetchList(offset = filter.offset, signal: AbortSignal | null = null): Promise<Listing> {
  const query = new URLSearchParams({ limit: String(PAGE), offset: String(offset) });
  if (filter.status) query.set("status", filter.status);
  if (filter.suspected) query.set("suspected", "true");
  if (filter.unread) query.set("unread", "true");
  const options: RequestInit = { signal };
  if (filter.text.trim()) options.headers = { "X-Search": encodeURIComponent(filter.text.trim()) };
  return get<Listing>(`/api/studies?${query}`, options);
}
