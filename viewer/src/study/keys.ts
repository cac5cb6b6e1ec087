import { openDialog } from "../dialog";
import { h } from "../dom";
import { PRESETS } from "../imaging/windows";
import type { Actions } from "./toolbar";

interface Key {
  keys: string[];
  text: string;
  act: (actions: Actions, key: string) => void;
}

const KEYS: Key[] = [
  { keys: ["ArrowDown", "ArrowRight"], text: "Next slice", act: (a) => a.move(1) },
  { keys: ["ArrowUp", "ArrowLeft"], text: "Previous slice", act: (a) => a.move(-1) },
  { keys: ["PageDown", "PageUp"], text: "Five slices on or back", act: (a, key) => a.move(key === "PageDown" ? 5 : -5) },
  { keys: ["Home", "End"], text: "First or last slice", act: (a, key) => a.to(key === "Home" ? 0 : Infinity) },
  { keys: ["1", "2", "3", "4"], text: "Window: brain, subdural, soft tissue, bone",
    act: (a, key) => a.window(PRESETS[Number(key) - 1]!) },
  { keys: ["f", "F"], text: "Next or previous finding (with Shift)", act: (a, key) => a.finding(key === "f" ? 1 : -1) },
  { keys: ["h"], text: "Heat on or off", act: (a) => a.overlay("turn") },
  { keys: ["d"], text: "One view, two, four", act: (a) => a.layout("next") },
  { keys: ["s"], text: "Tool: scroll", act: (a) => a.tool("scroll") },
  { keys: ["w"], text: "Tool: window", act: (a) => a.tool("window") },
  { keys: ["p"], text: "Tool: pan", act: (a) => a.tool("pan") },
  { keys: ["z"], text: "Tool: zoom", act: (a) => a.tool("zoom") },
  { keys: ["l"], text: "Tool: length in mm", act: (a) => a.tool("length") },
  { keys: ["r"], text: "Tool: region, its area and HU", act: (a) => a.tool("region") },
  { keys: ["Delete", "Backspace"], text: "Remove the chosen or the last measurement", act: (a) => a.removeMeasurement(false) },
  { keys: ["+", "-"], text: "Zoom in or out", act: (a, key) => a.zoom(key === "+" ? 1.25 : 0.8) },
  { keys: ["0"], text: "Reset the view", act: (a) => a.reset() },
  { keys: ["i"], text: "Invert", act: (a) => a.invert() },
  { keys: ["n", "N"], text: "Next or previous study (with Shift)", act: (a, key) => a.study(key === "n" ? 1 : -1) },
  { keys: ["m"], text: "Mark as read, or as unread", act: (a) => a.read() },
  { keys: ["Escape"], text: "Back to scrolling, then to the worklist", act: (a) => a.list() },
  { keys: ["?"], text: "This help", act: (a) => a.help() },
];

const NAMES: Record<string, string> = {
  ArrowDown: "↓", ArrowRight: "→", ArrowUp: "↑", ArrowLeft: "←", PageDown: "Page down", PageUp: "Page up", Escape: "Esc",
  F: "Shift F", N: "Shift N",
};
const MOUSE: [string, string][] = [
  ["Wheel", "Slices"], ["Left drag", "The chosen tool"], ["Right drag", "Window: across width, down centre"],
  ["Middle drag", "Pan"], ["Shift and left drag", "Zoom"], ["One finger", "The chosen tool"], ["Two fingers", "Zoom and pan"],
];

/** Listens until the function it returns is called. Fields and dialogs keep their keys. */
export function listen(actions: Actions): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const target = event.target as HTMLElement;
    if (target.matches("input:not([type=range]):not([type=radio]), textarea, select")) return;
    const arrows = event.key.startsWith("Arrow") || ["Home", "End", "PageUp", "PageDown"].includes(event.key);
    if (arrows && target.matches("input, .scrolls")) return;
    const found = KEYS.find((one) => one.keys.includes(event.key));
    if (!found) return;
    event.preventDefault();
    found.act(actions, event.key);
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

export function help(): void {
  const rows = KEYS.map((one) => h("tr", {},
    h("th", { scope: "row" }, ...one.keys.map((key) => h("kbd", {}, NAMES[key] ?? key.toUpperCase()))),
    h("td", {}, one.text)));
  const mouse = MOUSE.map(([what, text]) => h("tr", {}, h("th", { scope: "row" }, what), h("td", {}, text)));
  openDialog("Keys, mouse and touch",
    h("div", { class: "help scrolls", tabindex: 0 }, h("table", {}, h("tbody", {}, ...rows)),
      h("table", {}, h("tbody", {}, ...mouse))));
}
