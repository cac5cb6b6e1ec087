import { Enums, type RenderingEngine, type Types } from "@cornerstonejs/core";
import { h, refill } from "../dom";
import type { Label } from "../types";
import { picture } from "./heat";
import { draw } from "./overlay";
import type { SliceStore } from "./slices";
import { fromRange, range, type Window } from "./windows";

const { Events, ViewportType } = Enums;

export interface PaneEvents {
  slice: (pane: Pane, index: number) => void;
  window: (pane: Pane) => void;
  camera: (pane: Pane) => void;
  chosen: (pane: Pane) => void;
}

/** Which heat is shown. */
export interface Shading {
  label: Label;
  shown: boolean;
  opacity: number;
}

/** One view of the stack, with its own window. */
export class Pane {
  readonly element: HTMLDivElement;
  readonly id: string;
  index = 0;
  window: Window;
  inverted = false;
  private readonly stage: HTMLDivElement;
  private readonly canvas = h("canvas", { class: "overlay", "aria-hidden": "true" });
  private readonly corner = {
    slice: h("p", { class: "corner top-left" }), text: h("p", { class: "corner top-right" }),
    window: h("p", { class: "corner bottom-left" }), zoom: h("p", { class: "corner bottom-right" }),
  };
  private readonly engine: RenderingEngine;
  private readonly store: SliceStore;
  private readonly events: PaneEvents;
  private heat: { key: string; picture: HTMLCanvasElement | null } = { key: "", picture: null };
  private shading: Shading = { label: "any", shown: true, opacity: 0.5 };
  private silent = false;
  private fitted = 1;
  private ready = false;

  constructor(engine: RenderingEngine, id: string, store: SliceStore, window: Window, events: PaneEvents) {
    this.engine = engine;
    this.id = id;
    this.store = store;
    this.window = window;
    this.events = events;
    this.stage = h("div", { class: "stage" });
    const { edges } = store.geometry;
    const letter = (side: "left" | "right" | "top" | "bottom"): HTMLElement | null =>
      edges && h("span", { class: `edge ${side}`, "aria-hidden": "true" }, edges[side]);
    this.element = h("div", { class: "pane", tabindex: 0, role: "img", "data-pane": id },
      this.stage, this.canvas, letter("left"), letter("right"), letter("top"), letter("bottom"),
      ...Object.values(this.corner));
    this.element.addEventListener("pointerdown", () => events.chosen(this), true);
    this.element.addEventListener("focus", () => events.chosen(this));
    this.stage.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  private get viewport(): Types.IStackViewport {
    return this.engine.getViewport(this.id) as Types.IStackViewport;
  }

  /** Shows the series; the element must be in the page. */
  async open(ids: string[], index: number): Promise<void> {
    this.index = index;
    this.engine.enableElement({ viewportId: this.id, type: ViewportType.STACK, element: this.stage });
    this.stage.addEventListener(Events.STACK_NEW_IMAGE, this.onSlice);
    this.stage.addEventListener(Events.IMAGE_RENDERED, this.onRendered);
    this.stage.addEventListener(Events.VOI_MODIFIED, this.onWindow);
    this.stage.addEventListener(Events.CAMERA_MODIFIED, this.onCamera);
    await this.viewport.setStack(ids, index);
    this.setWindow(this.window);
    this.fitted = this.viewport.getZoom();
    this.stage.querySelector(".svg-layer")?.before(this.canvas); // measurements are drawn above the heat
    this.ready = true;
    this.tell();
  }

  close(): void {
    this.stage.removeEventListener(Events.STACK_NEW_IMAGE, this.onSlice);
    this.stage.removeEventListener(Events.IMAGE_RENDERED, this.onRendered);
    this.stage.removeEventListener(Events.VOI_MODIFIED, this.onWindow);
    this.stage.removeEventListener(Events.CAMERA_MODIFIED, this.onCamera);
    this.engine.disableElement(this.id);
  }

  /** Goes to a slice without telling, since the caller knows. */
  async show(index: number): Promise<void> {
    if (index === this.index && this.viewport.getCurrentImageIdIndex() === index) return;
    this.index = index;
    await this.viewport.setImageIdIndex(index);
    this.tell();
  }

  setWindow(window: Window): void {
    this.window = window;
    this.silent = true;
    this.viewport.setProperties({ voiRange: range(window), invert: this.inverted });
    this.silent = false;
    this.viewport.render();
    this.tell();
  }

  invert(): void {
    this.inverted = !this.inverted;
    this.setWindow(this.window);
  }

  /** Fits the slice into the pane. */
  reset(): void {
    this.viewport.resetCamera();
    this.viewport.render();
  }

  zoom(factor: number): void {
    this.viewport.setZoom(this.viewport.getZoom() * factor);
    this.viewport.render();
  }

  /** Takes over pan and zoom. */
  follow(other: Pane): void {
    if (!this.ready || !other.ready) return;
    this.silent = true;
    this.viewport.setZoom(other.viewport.getZoom());
    this.viewport.setPan(other.viewport.getPan());
    this.silent = false;
    this.viewport.render();
  }

  shade(shading: Shading): void {
    this.shading = shading;
    void this.loadHeat();
  }

  describe(total: number, active: boolean): void {
    const { centre, width, name } = this.window;
    this.element.classList.toggle("active", active);
    this.element.setAttribute("aria-label",
      `Slice ${this.index + 1} of ${total}, window ${name} centre ${centre} width ${width} HU`);
  }

  private readonly onSlice = (event: Event): void => {
    const { imageIdIndex } = (event as CustomEvent<{ imageIdIndex: number }>).detail;
    const changed = imageIdIndex !== this.index;
    this.index = imageIdIndex;
    this.tell();
    void this.loadHeat();
    if (changed) this.events.slice(this, imageIdIndex);
  };

  private readonly onRendered = (): void => {
    this.element.dataset["shown"] = String(this.viewport.getCurrentImageIdIndex() + 1);
    this.redraw();
  };

  private readonly onWindow = (event: Event): void => {
    if (this.silent || !this.ready) return;
    this.window = fromRange((event as CustomEvent<{ range: { lower: number; upper: number } }>).detail.range);
    this.tell();
    this.events.window(this);
  };

  private readonly onCamera = (): void => {
    this.tell();
    if (this.ready && !this.silent) this.events.camera(this);
  };

  private async loadHeat(): Promise<void> {
    const { label, shown } = this.shading;
    const key = `${label}/${this.index}`;
    if (shown && this.heat.key !== key) {
      this.heat = { key, picture: null };
      const map = await this.store.heat(label, this.index).catch(() => null); // a slice without heat says so in the strip
      if (this.heat.key === key) this.heat.picture = map && picture(map);
    }
    this.redraw();
  }

  private redraw(): void {
    const { label, shown, opacity } = this.shading;
    const place = this.store.series.findings?.[label]?.place ?? null;
    const current = this.heat.key === `${label}/${this.index}`;
    this.canvas.dataset["heat"] = shown && current && this.heat.picture ? label : "";
    draw(this.canvas, this.stage.clientWidth, this.stage.clientHeight, {
      heat: shown && current ? this.heat.picture : null, opacity,
      place: shown && place?.slice_index === this.index ? place : null,
    }, this.store.geometry, this.store.series.slices[this.index]!.position_mm,
    (point) => this.viewport.worldToCanvas(point));
  }

  private tell(): void {
    const slice = this.store.series.slices[this.index]!;
    const { name, centre, width } = this.window;
    refill(this.corner.slice, `${this.index + 1} / ${this.store.count}`);
    refill(this.corner.text, `${slice.position_mm.toFixed(1)} mm`);
    refill(this.corner.window, `${name || "Window"}  C ${centre}  W ${width}${this.inverted ? "  inverted" : ""}`);
    refill(this.corner.zoom, `${Math.round((this.viewport.getZoom() / this.fitted) * 100)} %`);
    this.describe(this.store.count, this.element.classList.contains("active"));
  }
}
