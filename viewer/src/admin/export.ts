import { h } from "../dom";

/** The export of feedback; names and dates of patients are removed from its images by the service. */
export async function feedbackPart(): Promise<HTMLElement> {
  const link = (href: string, text: string): HTMLElement =>
    h("p", {}, h("a", { href, class: "button", download: "ichscan-feedback.zip" }, text));
  return h("div", { class: "stack" },
    h("p", {}, "The archive holds the labels with their provenance and the images they are of. ",
      h("code", {}, "ichscan data import feedback"), " takes it."),
    link("/api/feedback/export", "Download feedback"),
    link("/api/feedback/export?reasons=true", "Download with reasons"),
    h("p", { class: "dim" }, "Reasons are free text: read them before you pass them on, they may name anybody."));
}
