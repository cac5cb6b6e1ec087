import { h, icon } from "../dom";
import { LAYOUTS } from "../imaging/stage";
import { PRESETS, type Window } from "../imaging/windows";

/** What the toolbar and the keys can do. */
export interface Actions {
  tool: (name: string) => void;
  window: (window: Window) => void;
  /** A name of `LAYOUTS`, or "next". */
  layout: (name: string) => void;
  overlay: (shown: boolean | "turn") => void;
  opacity: (value: number) => void;
  invert: () => void;
  reset: () => void;
  zoom: (factor: number) => void;
  removeMeasurement: (all: boolean) => void;
  move: (slices: number) => void;
  to: (index: number) => void;
  finding: (step: number) => void;
  study: (step: number) => void;
  read: () => void;
  help: () => void;
  list: () => void;
}

const TOOLS: [string, string, string][] = [
  ["scroll", "Scroll", "S"], ["window", "Window", "W"], ["pan", "Pan", "P"], ["zoom", "Zoom", "Z"],
  ["length", "Length in mm", "L"], ["region", "Region: area and HU", "R"],
];

export interface Toolbar {
  element: HTMLElement;
  update: (state: { tool: string; window: Window; layout: string; overlay: boolean }) => void;
}

export function toolbar(actions: Actions, state: { opacity: number }): Toolbar {
  const tools = TOOLS.map(([name, text, key]) =>
    h("button", { type: "button", class: "tool", "data-tool": name, title: `${text} (${key})`, "aria-label": text,
      "aria-pressed": "false", onclick: () => actions.tool(name) }, icon(name)));
  const windows = PRESETS.map((preset, k) =>
    h("button", { type: "button", class: "preset", "data-window": preset.name, "aria-pressed": "false",
      title: `${preset.name}: centre ${preset.centre}, width ${preset.width} HU (${k + 1})`,
      onclick: () => actions.window(preset) }, preset.name));
  const layouts = Object.entries(LAYOUTS).map(([name, one]) =>
    h("button", { type: "button", class: "tool", "data-layout": name, title: `${one.name} (D)`, "aria-label": one.name,
      "aria-pressed": "false", onclick: () => actions.layout(name) }, icon(name)));
  const shown = h("button", { type: "button", class: "preset", title: "Heat on or off (H)", "aria-pressed": "true",
    onclick: () => actions.overlay("turn") }, "Heat");
  const opacity = h("input", { type: "range", min: 0, max: 100, value: Math.round(100 * state.opacity), "aria-label": "Opacity of the heat",
    title: "Opacity of the heat", oninput: () => actions.opacity(Number(opacity.value) / 100) });
  const plain = (name: string, text: string, press: () => void): HTMLElement =>
    h("button", { type: "button", class: "tool", title: text, "aria-label": text.replace(/ \(.*/, ""), onclick: press },
      icon(name));
  const group = (label: string, ...children: HTMLElement[]): HTMLElement =>
    h("div", { class: "group", role: "group", "aria-label": label }, ...children);
  const element = h("div", { class: "toolbar", role: "toolbar", "aria-label": "Viewer" },
    group("Tool of the main mouse button", ...tools),
    group("Window", ...windows),
    group("Heat", shown, opacity),
    group("Views", ...layouts),
    group("More", plain("invert", "Invert (I)", actions.invert),
      plain("trash", "Remove measurement (Delete)", () => actions.removeMeasurement(false)),
      plain("reset", "Reset view (0)", actions.reset), plain("help", "Keys (?)", actions.help)));
  const press = (buttons: HTMLElement[], key: string, value: string): void =>
    buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset[key] === value)));
  return {
    element,
    update: (now) => {
      press(tools, "tool", now.tool);
      press(windows, "window", now.window.name);
      press(layouts, "layout", now.layout);
      shown.setAttribute("aria-pressed", String(now.overlay));
      opacity.disabled = !now.overlay;
    },
  };
}
