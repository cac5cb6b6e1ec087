import { h, icon, refill } from "../dom";
import { STATUS_ORDER, statusText } from "../labels";
import type { Listing } from "../types";
import { filter } from "./list";

const TYPING_MS = 250;

/** The filters above the list; `changed` is called when one is set. */
export function filters(changed: () => void): { element: HTMLElement; update: (listing: Listing) => void } {
  const set = (change: () => void): void => {
    change();
    filter.offset = 0;
    changed();
    draw(last);
  };
  let last: Listing = { total: 0, counts: {}, late_min: null, studies: [] };
  let typing = 0;
  const search = h("input", {
    type: "search", placeholder: "Name, ID, accession", value: filter.text, "aria-label": "Search", maxlength: 200,
    oninput: () => {
      window.clearTimeout(typing);
      typing = window.setTimeout(() => set(() => { filter.text = search.value; }), TYPING_MS);
    },
  });
  const toggles = h("div", { class: "chips", role: "group", "aria-label": "Show" });
  const statuses = h("div", { class: "chips", role: "group", "aria-label": "Status" });
  const chip = (text: string, on: boolean, press: () => void, count?: number): HTMLElement =>
    h("button", { type: "button", class: "chip", "aria-pressed": String(on), onclick: () => set(press) }, text,
      count === undefined ? null : h("span", { class: "count" }, count));
  const draw = (listing: Listing): void => {
    const held = document.activeElement?.textContent;
    refill(toggles,
      chip("Unread", filter.unread, () => { filter.unread = !filter.unread; }),
      chip("Suspected", filter.suspected, () => { filter.suspected = !filter.suspected; }));
    const all = Object.values(listing.counts).reduce((sum, one) => sum + one, 0);
    refill(statuses, chip("All", filter.status === "", () => { filter.status = ""; }, all),
      ...STATUS_ORDER.map((status) => chip(statusText(status), filter.status === status,
        () => { filter.status = filter.status === status ? "" : status; }, listing.counts[status] ?? 0)));
    // the pressed chip is a new element: give the focus back
    const again = [...element.querySelectorAll("button")].find((one) => one.textContent === held);
    if (held && document.activeElement === document.body) again?.focus();
  };
  const element = h("div", { class: "filters" }, toggles, statuses,
    h("div", { class: "search" }, icon("search"), search));
  draw(last);
  return { element, update: (listing) => { last = listing; draw(listing); } };
}
