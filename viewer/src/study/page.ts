import { get, send, told } from "../api";
import { h, refill } from "../dom";
import { renderingEngine } from "../imaging/engine";
import { seriesOfAnswer } from "../imaging/series";
import { statusText } from "../labels";
import { OPEN, subscribe } from "../live";
import { go, type Page } from "../router";
import { toast } from "../toast";
import type { Delivery, Row, SeriesImages, Study } from "../types";
import { banner } from "./banner";
import { filesPanel } from "./files";
import { help, listen } from "./keys";
import { neighbours, prefetch } from "./neighbours";
import { chosenSeries } from "./start";
import { tabs } from "./tabs";
import { type SeriesViewer, seriesViewer } from "./viewer";

interface Around {
  before: Row | null;
  after: Row | null;
}

function deliveriesOf(study: Study): Delivery[] {
  const told = study.deliveries as unknown;
  return Array.isArray(told) ? (told as Delivery[]) : (study.deliveries_list ?? []);
}

function waitingText(study: Study, all: SeriesImages[]): string {
  if (study.status === "not_analysable") return study.reason || all[0]?.reason || "This study could not be analysed.";
  if (study.status === "set_aside") return `Set aside: ${study.reason}`;
  if (study.status === "analysed") return "The images are not held any more; the result stays.";
  return "The images are shown when the analysis is done. This page then changes by itself.";
}

/** What a reader of the result that is shown must know: what was not analysed, although it should have been. */
function unjudged(study: Study): string {
  if (study.status === "analysed") return study.reason;
  if (study.status === "set_aside") return `This is an earlier result. With all images the study was set aside: ${study.reason}`;
  return "This is an earlier result: images came later, or the study is analysed again.";
}

/** Makes ready what the first study would otherwise wait for. */
export function warm(): void {
  renderingEngine();
}

/** The images of a study as the viewer knows them; none before there is a result. */
async function imagesOf(id: number): Promise<SeriesImages[]> {
  return seriesOfAnswer(await get<unknown>(`/api/studies/${id}/images`));
}

/** One study: images, findings, feedback, files. */
export async function studyPage(id: number, query: URLSearchParams): Promise<Page> {
  // both at once: most studies that are opened have a result
  const asked = imagesOf(id).catch(() => [] as SeriesImages[]); // the page then says why there are none
  const study = await get<Study>(`/api/studies/${id}`);
  const all = study.result_id === null ? [] : await asked;
  const number = query.has("series") ? Number(query.get("series")) : chosenSeries(all);
  const series = all[number];
  const stop = new AbortController();
  const nobody: Around = { before: null, after: null };
  // without the list, one goes back by hand
  const around: Promise<Around> = neighbours(id).catch(() => nobody);
  let viewer: SeriesViewer | null = null;

  const leaveFor = (path: string): void => {
    if (viewer?.feedback.dirty() && !window.confirm("Feedback was not sent. Leave it?")) return;
    go(path);
  };
  const move = async (step: number): Promise<void> => {
    const { before, after } = await around;
    const row = step > 0 ? after : before;
    if (row) leaveFor(`/studies/${row.id}`);
    else toast(step > 0 ? "This is the last study of the list." : "This is the first study of the list.");
  };
  const read = async (): Promise<void> => {
    const now = study.read_at === null;
    try {
      await send("POST", `/api/studies/${id}/read`, { read: now, result_id: study.result_id });
      study.read_at = now ? Date.now() / 1000 : null;
      study.read_by = "you";
      top.update(study);
    } catch (error) {
      toast(told(error), "error");
    }
  };
  const outside = {
    study: (step: number) => void move(step), read: () => void read(), help, list: () => leaveFor("/"),
    loaded: () => void around.then(({ after }) => after && prefetch(after, stop.signal))
      .catch(() => undefined), // only a convenience
  };
  const top = banner(study, outside);
  const news = h("div", { class: "news", role: "status" });
  const element = h("main", { id: "main", class: "study" }, top.element, news);
  const panels = [{ name: "Files", content: filesPanel(study, deliveriesOf(study)) }];
  if (series && series.slices.length > 0) {
    viewer = seriesViewer(study, number, series, unjudged(study), outside);
    panels.unshift({ name: "Findings", content: viewer.findings }, { name: "Feedback", content: viewer.feedback.element });
    element.append(viewer.element);
  } else {
    element.append(h("div", { class: "viewer no-images" },
      h("p", { class: "status-word" }, statusText(study.status)), h("p", {}, waitingText(study, all))));
  }
  const side = h("aside", { class: "side", "aria-label": "Result" });
  if (all.length > 1) side.append(seriesChoice(id, all, number));
  side.append(tabs("Result", panels).element);
  element.append(side);

  const generation = study.result_id;
  const unsubscribe = subscribe((event) => {
    const concerns = event.kind === OPEN || event.study_id === id;
    if (concerns && [OPEN, "result", "study"].includes(event.kind)) void renewed(id, generation, news, viewer === null);
  });
  const actions = viewer?.actions;
  const ignore = listen(actions ?? withoutImages(outside));
  return {
    title: "Study", element,
    shown: () => {
      viewer?.open().catch((error: unknown) => refill(news, h("p", { class: "problem" }, told(error))));
    },
    leave: () => {
      stop.abort();
      ignore();
      unsubscribe();
      viewer?.close();
    },
  };
}

/** A newer result is offered, not forced on somebody who is looking; a page without images takes it at once. */
async function renewed(id: number, before: number | null, news: HTMLElement, take: boolean): Promise<void> {
  const now = await get<Study>(`/api/studies/${id}`);
  if (now.result_id === before) return;
  if (take) return go(`/studies/${id}`, true);
  refill(news, h("p", {}, "There is a newer result of this study. ",
    h("button", { type: "button", onclick: () => go(`/studies/${id}`, true) }, "Show it")));
}

function seriesChoice(id: number, all: SeriesImages[], number: number): HTMLElement {
  const select = h("select", { onchange: () => go(`/studies/${id}?series=${select.value}`, true) },
    ...all.map((one, k) => h("option", { value: k, selected: k === number },
      `${one.description || `Series ${k + 1}`} (${one.slices.length > 0 ? `${one.slices.length} slices` : "not analysed"})`)));
  return h("label", { class: "field series-choice" }, h("span", {}, "Series"), select);
}

function withoutImages(outside: { study: (step: number) => void; read: () => void; help: () => void; list: () => void }):
import("./toolbar").Actions {
  const nothing = (): void => undefined;
  return {
    tool: nothing, window: nothing, layout: nothing, overlay: nothing, opacity: nothing, invert: nothing, reset: nothing,
    zoom: nothing, removeMeasurement: nothing, move: nothing, to: nothing, finding: nothing, ...outside,
  };
}
