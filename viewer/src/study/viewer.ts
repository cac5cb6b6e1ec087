import { h } from "../dom";
import { SliceStore } from "../imaging/slices";
import { LAYOUTS, Stage } from "../imaging/stage";
import { BRAIN, type Window } from "../imaging/windows";
import { LABELS, nameOf } from "../labels";
import type { Label, Result, SeriesImages, Study } from "../types";
import { type FeedbackForm, feedbackForm } from "./feedback";
import { findingList } from "./findings";
import { startOf } from "./start";
import { strip } from "./strip";
import { type Actions, toolbar } from "./toolbar";

/** What stays as it was when another study is opened. */
const kept = { layout: "one", overlay: true, opacity: 0.35 };

export interface Outside {
  study: (step: number) => void;
  read: () => void;
  help: () => void;
  list: () => void;
  loaded: () => void;
}

export interface SeriesViewer {
  /** Toolbar, panes and strip. */
  element: HTMLElement;
  findings: HTMLElement;
  feedback: FeedbackForm;
  actions: Actions;
  open: () => Promise<void>;
  close: () => void;
}

/** One series with everything around it. */
export function seriesViewer(study: Study, number: number, series: SeriesImages, unjudged: string,
  outside: Outside): SeriesViewer {
  const store = new SliceStore(study.id, number, series, study.result_id);
  const result: Result | null =
    study.result?.find((one) => one.series_instance_uid === series.series_instance_uid) ?? null;
  const labels = LABELS.filter((label) => series.labels.includes(label));
  let label: Label = "any";
  let window_: Window = BRAIN;
  const stage = new Stage(store, startOf(series), {
    slice: () => update(),
    window: (now) => { window_ = now; update(); },
    boxes: () => form?.update(),
  });
  let form: FeedbackForm | null = null;
  const boxLabel = (): Label => form?.element.querySelector<HTMLSelectElement>("#mark-label")?.value ?? label;
  const shade = (): void => {
    stage.shade({ label, shown: kept.overlay, opacity: kept.opacity });
  };
  const choose = (now: Label): void => {
    label = now;
    shade();
    update();
  };
  const jump = (to: Label, index: number): void => {
    choose(to);
    void stage.show(index);
  };
  const tool = (name: string): void => {
    stage.setTool(name);
    update();
  };
  const actions: Actions = {
    tool,
    window: (one) => stage.setWindow(one),
    layout: (name) => {
      const names = Object.keys(LAYOUTS);
      const next = names[(names.indexOf(stage.layout) + 1) % names.length]!;
      kept.layout = name in LAYOUTS ? name : next;
      void stage.open(kept.layout).then(update);
    },
    overlay: (shown) => { kept.overlay = shown === "turn" ? !kept.overlay : shown; shade(); update(); },
    opacity: (value) => { kept.opacity = value; shade(); },
    invert: () => stage.invert(),
    reset: () => stage.reset(),
    zoom: (factor) => stage.zoom(factor),
    removeMeasurement: (all) => stage.removeMeasurement(all),
    move: (slices) => void stage.show(stage.index + slices),
    to: (index) => void stage.show(index),
    finding: (step) => {
      const found = labels.filter((one) => series.findings?.[one] && series.findings[one]!.state !== "absent");
      const list = found.length > 0 ? found : labels;
      const next = list[(list.indexOf(label) + step + list.length) % list.length];
      if (next) jump(next, series.findings?.[next]?.strongest ?? stage.index);
    },
    study: outside.study,
    read: outside.read,
    help: outside.help,
    list: () => (stage.tool === "scroll" ? outside.list() : tool("scroll")),
  };
  const bar = toolbar(actions, kept);
  const along = strip(series, (index) => void stage.show(index), choose);
  const list = findingList(series, result, unjudged, jump);
  const feedback = feedbackForm(study.id, study.result_id, series, {
    slice: () => stage.index,
    label: () => label,
    go: (index) => void stage.show(index),
    drawBox: () => tool("box"),
    boxes: () => stage.boxes(boxLabel(), nameOf(boxLabel())),
  });
  form = feedback;
  const update = (): void => {
    bar.update({ tool: stage.tool, window: window_, layout: stage.layout, overlay: kept.overlay });
    along.update(stage.index, label);
    list.update(label, stage.index);
    feedback.update();
  };
  store.onProgress = (count) => {
    along.loaded((index) => store.has(index));
    if (count === store.count) outside.loaded();
  };
  const boxDrawn = (): void => feedback.update();
  stage.element.addEventListener("pointerup", boxDrawn);
  return {
    element: h("div", { class: "viewer" }, bar.element, stage.element, along.element),
    findings: list.element, feedback, actions,
    open: async () => {
      store.fetchAll(stage.index);
      await stage.open(kept.layout);
      shade();
      update();
      stage.focus();
    },
    close: () => {
      along.leave();
      stage.close();
    },
  };
}
