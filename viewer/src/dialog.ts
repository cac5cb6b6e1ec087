import { h, icon, type Child } from "./dom";

/** A modal dialog with a heading; Escape and the button close it. */
export function openDialog(title: string, ...children: Child[]): HTMLDialogElement {
  const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => dialog.close() },
    icon("close"));
  const heading = h("h2", { id: "dialog-title" }, title);
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => dialog.remove() },
    h("header", {}, heading, close), ...children);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks; resolves with false when the dialog is left in any other way than by its button. */
export function confirm(title: string, text: string, action: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = false;
    const yes = h("button", { type: "button", class: "primary", onclick: () => { answer = true; dialog.close(); } }, action);
    const no = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
    const dialog = openDialog(title, h("p", {}, text), h("div", { class: "actions" }, no, yes));
    dialog.addEventListener("close", () => resolve(answer));
  });
}
