/** Builds elements. Text is always set as text: nothing that came from outside is ever parsed as HTML. */

export type Child = Node | string | number | null | undefined | false;
type Listener = (event: never) => void;
export type Props = Record<string, string | number | boolean | null | undefined | Listener>;

function apply(element: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as unknown as EventListener);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
}

function fill(element: Element, children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** An HTML element; `onclick` and the like take functions, true and false stand for attributes without a value. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  apply(element, props);
  fill(element, children);
  return element;
}

/** An SVG element. */
export function s(tag: string, props: Props = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  apply(element, props);
  fill(element, children);
  return element;
}

/** Replaces what an element holds. */
export function refill(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  fill(element, children);
}

const ICONS: Record<string, string> = {
  scroll: "M12 3v18M8 7l4-4 4 4M8 17l4 4 4-4",
  window: "M12 3a9 9 0 1 0 0 18ZM12 3a9 9 0 0 1 0 18",
  zoom: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM15.5 15.5 21 21M10.5 7.5v6M7.5 10.5h6",
  pan: "M12 2v20M2 12h20M9 5l3-3 3 3M9 19l3 3 3-3M5 9l-3 3 3 3M19 9l3 3-3 3",
  length: "M4 20 20 4M2.5 16.5l5 5M16.5 2.5l5 5",
  region: "M12 6c5 0 9 2.7 9 6s-4 6-9 6-9-2.7-9-6 4-6 9-6Z",
  box: "M4 5h16v14H4Z",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v6M14 11v6",
  reset: "M4 5v5h5M4.6 15a8 8 0 1 0 .6-7L4 10",
  invert: "M12 4a8 8 0 1 0 0 16ZM4 4h16v16H4Z",
  help: "M9 9a3 3 0 1 1 4.2 2.7c-.9.5-1.2 1-1.2 2.3M12 17.5v.1M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z",
  upload: "M12 16V4M7 9l5-5 5 5M4 16v4h16v-4",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  warn: "M12 4 2.5 20h19ZM12 10v5M12 17.6v.1",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM15.5 15.5 21 21",
  close: "M6 6l12 12M18 6 6 18",
  one: "M4 5h16v14H4Z",
  two: "M4 5h16v14H4ZM12 5v14",
  four: "M4 5h16v14H4ZM12 5v14M4 12h16",
  user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4 20c1-4 4.500-5.500 8-5.500s7 1.500 8 5.500",
};

/** A drawn icon; the text beside it, or the label of its button, says what it means. */
export function icon(name: string): SVGElement {
  return s("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" },
    s("path", { d: ICONS[name] ?? "" }));
}
