import { h, type Child } from "../dom";

/** A table with a caption for screen readers; cells are built by `cells`. */
export function table<T>(caption: string, heads: string[], rows: T[], cells: (row: T) => Child[], empty: string): HTMLElement {
  return h("div", { class: "table-scroll plain", tabindex: 0, role: "region", "aria-label": caption },
    h("table", { class: "records" },
      h("caption", { class: "visually-hidden" }, caption),
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...cells(row).map((cell) => h("td", {}, cell)))),
        rows.length === 0 ? h("tr", {}, h("td", { colspan: heads.length, class: "dim" }, empty)) : null)));
}

export function flag(text: string, kind: "good" | "bad" | "" = ""): HTMLElement {
  return h("span", { class: `flag ${kind}` }, text);
}

/** Buttons to the newer and older part of a long list. */
export function pages(total: number, offset: number, size: number, go: (offset: number) => void): HTMLElement {
  const turn = (to: number, text: string, off: boolean): HTMLElement =>
    h("button", { type: "button", disabled: off, onclick: () => go(to) }, text);
  return h("div", { class: "row pages" },
    h("span", { class: "dim" }, total === 0 ? "None" : `${offset + 1}–${Math.min(offset + size, total)} of ${total}, newest first`),
    total > size && turn(Math.max(0, offset - size), "Newer", offset === 0),
    total > size && turn(offset + size, "Older", offset + size >= total));
}
