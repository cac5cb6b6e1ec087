import { Enums, type RenderingEngine, type Types } from "@cornerstonejs/core";
import { told } from "../api";
import { h, refill } from "../dom";
import type { Label } from "../types";
import { picture } from "./heat";
import { draw } from "./overlay";
import type { SliceStore } from "./slices";
import { SCROLL_EVENT } from "./tools";
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
  private readonly fault = h("p", { class: "fault", role: "alert" });
  private readonly engine: RenderingEngine;
  private readonly store: SliceStore;
  private readonly events: PaneEvents;
  private heat: { key: string; picture: HTMLCanvasElement | null } = { key: "", picture: null };
  private shading: Shading = { label: "any", shown: true, opacity: 0.5 };
  private silent = false;
  private fitted = 1;
  private ready = false;
  private ids: string[] = [];

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
      ...Object.values(this.corner), this.fault);
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
    this.stage.addEventListener(SCROLL_EVENT, this.onScroll);
    this.ids = ids;
    await this.go(index);
  }

  /** Cornerstone is asked only for slices that are there: it does not get over one that fails. */
  private async go(index: number): Promise<void> {
    try {
      await this.store.slice(index);
      if (index !== this.index) return; // overtaken by a later one
      if (this.ready) {
        await this.viewport.setImageIdIndex(index);
      } else {
        await this.viewport.setStack(this.ids, index);
        this.begin();
      }
    } catch (error) {
      this.fail(index, error);
    }
  }

  /** Once a slice has come. */
  private begin(): void {
    this.ready = true;
    this.fitted = this.viewport.getZoom();
    this.stage.querySelector(".svg-layer")?.before(this.canvas); // measurements are drawn above the heat
    this.setWindow(this.window);
    void this.loadHeat();
  }

  close(): void {
    this.stage.removeEventListener(Events.STACK_NEW_IMAGE, this.onSlice);
    this.stage.removeEventListener(Events.IMAGE_RENDERED, this.onRendered);
    this.stage.removeEventListener(Events.VOI_MODIFIED, this.onWindow);
    this.stage.removeEventListener(Events.CAMERA_MODIFIED, this.onCamera);
    this.stage.removeEventListener(SCROLL_EVENT, this.onScroll);
    this.engine.disableElement(this.id);
  }

  /** Goes to a slice; one that does not come says so. */
  async show(index: number): Promise<void> {
    if (index === this.index && this.ready && !this.fault.textContent) return;
    this.index = index;
    await this.go(index);
  }

  setWindow(window: Window): void {
    this.window = window;
    if (!this.ready) return;
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
    if (!this.ready) return;
    this.viewport.resetCamera();
    this.viewport.render();
  }

  zoom(factor: number): void {
    if (!this.ready) return;
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
    if ((event as CustomEvent<{ imageIdIndex: number }>).detail.imageIdIndex !== this.index) return; // overtaken
    refill(this.fault);
    if (!this.ready) return;
    this.tell();
    void this.loadHeat();
  };

  private readonly onScroll = (event: Event): void => {
    this.events.slice(this, this.index + (event as CustomEvent<number>).detail);
  };

  /** The slice before must not stay on the screen as if it were this one. */
  private fail(index: number, error: unknown): void {
    if (index !== this.index || (error instanceof DOMException && error.name === "AbortError")) return;
    delete this.element.dataset["shown"];
    refill(this.fault, `Slice ${index + 1} cannot be shown. ${told(error)}`);
  }

  private readonly onRendered = (): void => {
    if (!this.fault.textContent) this.element.dataset["shown"] = String(this.viewport.getCurrentImageIdIndex() + 1);
    this.redraw();
  };

  private readonly onWindow = (event: Event): void => {
    if (this.silent || !this.ready) return;
    this.window = fromRange((event as CustomEvent<{ range: { lower: number; upper: number } }>).detail.range);
    this.tell();
    this.events.window(this);
  };

  private readonly onCamera = (): void => {
    if (!this.ready) return;
    this.tell();
    if (!this.silent) this.events.camera(this);
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
    if (!this.ready) return;
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
