import { eventTarget } from "@cornerstonejs/core";
import { annotation, Enums, type Types, utilities } from "@cornerstonejs/tools";
import { h } from "../dom";
import type { Box, Label } from "../types";
import { register, renderingEngine } from "./engine";
import { pixel, shown } from "./geometry";
import { Pane, type Shading } from "./pane";
import type { SliceStore } from "./slices";
import { BOX, choose, scrollThrough, toolGroup } from "./tools";
import { BONE, BRAIN, SOFT_TISSUE, SUBDURAL, type Window } from "./windows";

const { ANNOTATION_COMPLETED, ANNOTATION_MODIFIED } = Enums.Events;

const MEASURED_MS = 40;

export const LAYOUTS: Record<string, { name: string; windows: Window[] }> = {
  one: { name: "One view", windows: [BRAIN] },
  two: { name: "Two views: brain and bone", windows: [BRAIN, BONE] },
  four: { name: "Four views: brain, subdural, soft tissue, bone", windows: [BRAIN, SUBDURAL, SOFT_TISSUE, BONE] },
};

export interface StageEvents {
  slice: (index: number) => void;
  /** The window of the active pane, or the active pane itself, changed. */
  window: (window: Window) => void;
  boxes: () => void;
}

/** One series in one or several panes: the same slice, pan and zoom in each, a window of its own. */
export class Stage {
  readonly element = h("div", { class: "panes" });
  readonly store: SliceStore;
  index: number;
  layout = "one";
  tool = "scroll";
  private panes: Pane[] = [];
  private active: Pane | null = null;
  private shading: Shading = { label: "any", shown: true, opacity: 0.5 };
  private readonly engine = renderingEngine();
  private readonly group = toolGroup();
  private readonly ids: string[];
  private readonly forget: () => void;
  private readonly events: StageEvents;
  private readonly resize = new ResizeObserver(() => this.resized());
  private following = false;
  private drawing = 0;

  constructor(store: SliceStore, index: number, events: StageEvents) {
    this.store = store;
    this.index = index;
    this.events = events;
    const registered = register(store);
    this.ids = registered.ids;
    this.forget = registered.forget;
    eventTarget.addEventListener(ANNOTATION_COMPLETED, this.onMeasured);
    eventTarget.addEventListener(ANNOTATION_MODIFIED, this.onMeasured);
  }

  /** Shows the panes of a layout; the element must be in the page. */
  async open(layout: string): Promise<void> {
    this.closePanes();
    this.layout = layout in LAYOUTS ? layout : "one";
    const windows = LAYOUTS[this.layout]!.windows;
    this.element.className = `panes ${this.layout}`;
    this.panes = windows.map((window, k) => new Pane(this.engine, `pane-${k + 1}`, this.store, window, {
      slice: (_, index) => void this.show(index),
      window: (pane) => { if (pane === this.active) this.events.window(pane.window); },
      camera: (pane) => this.follow(pane),
      chosen: (pane) => this.activate(pane),
    }));
    this.element.replaceChildren(...this.panes.map((pane) => pane.element));
    for (const pane of this.panes) {
      await pane.open(this.ids, this.index);
      this.group.addViewport(pane.id, this.engine.id);
      pane.shade(this.shading);
    }
    scrollThrough(this.store.count);
    choose(this.group, this.tool);
    this.activate(this.panes[0]!);
    this.resize.observe(this.element);
  }

  close(): void {
    eventTarget.removeEventListener(ANNOTATION_COMPLETED, this.onMeasured);
    eventTarget.removeEventListener(ANNOTATION_MODIFIED, this.onMeasured);
    window.clearTimeout(this.drawing);
    this.closePanes();
    annotation.state.removeAllAnnotations();
    this.forget();
  }

  async show(index: number): Promise<void> {
    const wanted = Math.min(Math.max(index, 0), this.store.count - 1);
    const changed = wanted !== this.index;
    this.index = wanted;
    if (changed) this.events.slice(wanted);
    await Promise.all(this.panes.map((pane) => pane.show(wanted)));
  }

  setWindow(window: Window): void {
    this.active?.setWindow(window);
    this.events.window(window);
  }

  invert(): void {
    this.active?.invert();
  }

  reset(): void {
    this.panes.forEach((pane) => pane.reset());
  }

  zoom(factor: number): void {
    this.active?.zoom(factor);
  }

  shade(shading: Shading): void {
    this.shading = shading;
    this.panes.forEach((pane) => pane.shade(shading));
  }

  setTool(tool: string): void {
    this.tool = tool;
    choose(this.group, tool);
  }

  focus(): void {
    this.active?.element.focus({ preventScroll: true });
  }

  /** Removes the measurement that is selected, or else the newest; boxes only when they are selected. */
  removeMeasurement(all = false): void {
    const selected = new Set(annotation.selection.getAnnotationsSelected());
    const found = annotation.state.getAllAnnotations();
    const mine = found.filter((one) => one.metadata?.toolName !== BOX);
    const chosen = all ? mine : found.filter((one) => one.annotationUID && selected.has(one.annotationUID));
    for (const one of chosen.length > 0 || all ? chosen : mine.slice(-1)) {
      if (one.annotationUID) annotation.state.removeAnnotation(one.annotationUID);
    }
    this.panes.forEach((pane) => pane.shade(this.shading));
    this.engine.render();
    this.events.boxes();
  }

  /** Names the boxes that have no label yet, and tells all: in pixels of the slices as acquired. */
  boxes(label: Label, text: string): { box: Box; index: number; remove: () => void }[] {
    return annotation.state.getAllAnnotations().filter((one) => one.metadata?.toolName === BOX).flatMap((one) => {
      const data = one.data as Types.Annotation["data"] & { label?: string; ofLabel?: Label };
      data.ofLabel ??= label;
      data.label ||= text;
      const index = this.ids.indexOf(one.metadata?.referencedImageId ?? "");
      const points = data.handles?.points ?? [];
      if (index < 0 || points.length < 2) return [];
      const remove = (): void => {
        if (one.annotationUID) annotation.state.removeAnnotation(one.annotationUID);
        this.engine.render();
        this.events.boxes();
      };
      const box = this.boxOf(points, index, data.ofLabel);
      return box.height > 0 && box.width > 0 ? [{ box, index, remove }] : [];
    });
  }

  private boxOf(points: ArrayLike<number>[], index: number, label: Label): Box {
    const { geometry, series } = this.store;
    const slice = series.slices[index]!;
    const corners = points.map((point) => shown(geometry, ...pixel(geometry, point)));
    const within = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
    const rows = corners.map(([row]) => within(row + 0.5, geometry.rows));
    const columns = corners.map(([, column]) => within(column + 0.5, geometry.cols));
    const [top, left] = [Math.floor(Math.min(...rows)), Math.floor(Math.min(...columns))];
    return {
      sop_instance_uid: slice.sop_instance_uid, label, top, left,
      height: Math.ceil(Math.max(...rows)) - top, width: Math.ceil(Math.max(...columns)) - left,
    };
  }

  private activate(pane: Pane): void {
    if (this.active === pane) return;
    this.active = pane;
    this.panes.forEach((one) => one.describe(this.store.count, one === pane));
    this.events.window(pane.window);
  }

  private follow(leader: Pane): void {
    if (this.following) return;
    this.following = true;
    for (const pane of this.panes) if (pane !== leader) pane.follow(leader);
    this.following = false;
  }

  /** Figures are worked out a little later than lines are drawn: without this, those of an earlier moment would stay. */
  private readonly onMeasured = (): void => {
    window.clearTimeout(this.drawing);
    this.drawing = window.setTimeout(() => {
      utilities.triggerAnnotationRenderForViewportIds(this.panes.map((pane) => pane.id));
      this.events.boxes();
    }, MEASURED_MS);
  };

  private resized(): void {
    if (this.panes.length > 0 && this.element.isConnected) this.engine.resize(true, true);
  }


  private closePanes(): void {
    this.resize.disconnect();
    for (const pane of this.panes) {
      this.group.removeViewports(this.engine.id, pane.id);
      pane.close();
    }
    this.panes = [];
    this.active = null;
  }
}
