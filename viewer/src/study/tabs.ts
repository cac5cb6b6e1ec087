import { h } from "../dom";

export interface Tab {
  name: string;
  content: HTMLElement;
}

/** Panels of which one is shown, with the keys of the pattern "tabs" (WAI-ARIA APG). */
export function tabs(label: string, list: Tab[]): { element: HTMLElement; show: (name: string) => void } {
  const id = (name: string, part: string): string => `${part}-${name.toLowerCase()}`;
  const buttons = list.map(({ name }) => h("button", {
    type: "button", role: "tab", id: id(name, "tab"), "aria-controls": id(name, "panel"), onclick: () => show(name),
  }, name));
  const panels = list.map(({ name, content }) => h("div", {
    role: "tabpanel", id: id(name, "panel"), "aria-labelledby": id(name, "tab"), class: "tab-panel scrolls", tabindex: 0,
  }, content));
  const show = (name: string): void => {
    list.forEach((tab, k) => {
      const on = tab.name === name;
      buttons[k]!.setAttribute("aria-selected", String(on));
      buttons[k]!.tabIndex = on ? 0 : -1;
      panels[k]!.hidden = !on;
    });
  };
  const bar = h("div", { role: "tablist", "aria-label": label, class: "scrolls", onkeydown: (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const now = buttons.indexOf(event.target as HTMLButtonElement);
    const next = buttons[(now + step + buttons.length) % buttons.length]!;
    event.preventDefault();
    event.stopPropagation();
    next.click();
    next.focus();
  } }, ...buttons);
  show(list[0]?.name ?? "");
  return { element: h("div", { class: "tabs" }, bar, ...panels), show };
}
