import { h } from "./dom";

let region: HTMLElement | null = null;

/** A short message at the foot of the page, read out by screen readers. */
export function toast(text: string, kind: "done" | "error" = "done"): void {
  if (!region) {
    region = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(region);
  }
  const message = h("p", { class: `toast ${kind}` }, text);
  region.append(message);
  window.setTimeout(() => message.remove(), kind === "error" ? 8000 : 4000);
}
