import { told } from "../api";
import { h, refill } from "../dom";
import { subscribe } from "../live";
import { go, type Page } from "../router";
import type { Listing } from "../types";
import { filters } from "./filters";
import { fetchList, filter, PAGE } from "./list";
import { rowOf, waited } from "./row";
import { uploader } from "./upload";

const SETTLE_MS = 300;
const TICK_MS = 1000;
const HEADS = ["Result", "Patient", "Types", "Study", "Scanner", "Images", "Waiting", "State"];

/** Studies, the most urgent first, kept up to date by events. */
export async function worklistPage(): Promise<Page> {
  const body = h("tbody");
  const status = h("p", { class: "dim", role: "status" });
  const pager = h("div", { class: "pager" });
  const late = h("p", { class: "problem", role: "alert" });
  const element = h("main", { id: "main", class: "worklist" });
  let asked = Date.now();
  let listing: Listing = { total: 0, counts: {}, late_min: null, studies: [] };
  let request = new AbortController();
  let timer = 0;

  const draw = (): void => {
    const focused = document.activeElement?.closest("tr")?.dataset["study"];
    refill(body, ...listing.studies.map((row) => rowOf(row, asked)));
    if (focused) body.querySelector<HTMLElement>(`tr[data-study="${focused}"] a`)?.focus();
    if (listing.studies.length === 0) {
      body.append(h("tr", { class: "empty" }, h("td", { colspan: HEADS.length }, "No study matches.")));
    }
    const first = filter.offset + 1;
    refill(status, listing.total === 0 ? "No studies" :
      `${first}–${filter.offset + listing.studies.length} of ${listing.total}, most urgent first`);
    const turn = (offset: number, text: string, off: boolean): HTMLElement =>
      h("button", { type: "button", disabled: off, onclick: () => { filter.offset = offset; void load(); } }, text);
    refill(pager, listing.total > PAGE && turn(Math.max(0, filter.offset - PAGE), "Previous", filter.offset === 0),
      listing.total > PAGE && turn(filter.offset + PAGE, "Next", filter.offset + PAGE >= listing.total));
  };
  const load = async (): Promise<void> => {
    request.abort();
    request = new AbortController();
    const mine = request;
    try {
      const found = await fetchList(filter.offset, mine.signal);
      if (mine !== request) return;
      listing = found;
      asked = Date.now();
      above.update(found);
      refill(late, found.late_min === null ? null : `An analysis has been waiting for ${Math.round(found.late_min)} minutes: `
        + "studies without a result may hold hemorrhage. Tell whoever runs this service.");
      draw();
    } catch (error) {
      if (!mine.signal.aborted) refill(status, told(error));
    }
  };
  const above = filters(() => void load());
  const soon = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void load(), SETTLE_MS);
  };
  const upload = uploader(element, soon);
  const ticking = window.setInterval(() => tick(body, listing, asked), TICK_MS);
  const unsubscribe = subscribe(soon);
  const onKey = (event: KeyboardEvent): void => keys(event, body);
  document.addEventListener("keydown", onKey);

  element.append(
    h("h1", { class: "visually-hidden" }, "Worklist"),
    h("div", { class: "bar" }, above.element, upload.element), late,
    h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "Studies" },
      h("table", { class: "studies" },
        h("thead", {}, h("tr", {}, ...HEADS.map((head, k) =>
          h("th", { scope: "col", class: ["result", "person", "kinds", "exam", "scanner", "number", "number wait", "flags"][k]! },
            head)))), body)),
    h("div", { class: "foot" }, status, pager,
      h("p", { class: "dim hint" }, "Keys: ↓ ↑ or J K choose, Enter opens, / searches. Drop files or folders to upload.")),
    h("div", { class: "drop-hint", "aria-hidden": "true" }, "Drop DICOM files, folders or zip archives"));
  body.addEventListener("click", (event) => openRow(event));
  await load();
  // the viewer is large: fetch it while nobody waits
  const idle = window.setTimeout(() => void import("../study/page").then((study) => study.warm()), 300);
  return {
    title: "Worklist", element,
    shown: () => body.querySelector<HTMLElement>("a.open")?.focus({ preventScroll: true }),
    leave: () => {
      request.abort();
      window.clearTimeout(timer);
      window.clearTimeout(idle);
      window.clearInterval(ticking);
      document.removeEventListener("keydown", onKey);
      unsubscribe();
      upload.leave();
    },
  };
}

function openRow(event: Event): void {
  if (!(event.target instanceof Element) || event.target.closest("a") || getSelection()?.toString()) return;
  const number = event.target.closest("tr")?.dataset["study"];
  if (number) go(`/studies/${number}`);
}

function tick(body: HTMLElement, listing: Listing, asked: number): void {
  for (const cell of body.querySelectorAll<HTMLElement>("[data-wait]")) {
    const row = listing.studies.find((one) => String(one.id) === cell.closest("tr")?.dataset["study"]);
    if (row) cell.textContent = waited(row, asked);
  }
}

function keys(event: KeyboardEvent, body: HTMLElement): void {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const target = event.target as HTMLElement;
  if (target.matches("input, textarea, select")) return;
  if (event.key === "/") {
    event.preventDefault();
    document.querySelector<HTMLInputElement>("input[type=search]")?.focus();
    return;
  }
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  const links = [...body.querySelectorAll<HTMLElement>("a.open")];
  const now = links.indexOf(document.activeElement as HTMLElement);
  const next = links[Math.min(Math.max(now + step, 0), links.length - 1)];
  if (next) {
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
}
