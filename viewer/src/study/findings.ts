import { h, refill } from "../dom";
import { probability, ranges } from "../format";
import { LABELS, nameOf, stateText } from "../labels";
import type { Finding, Label, Result, SeriesImages } from "../types";
import { level } from "./strip";

const SIDES: Record<string, string> = { left: "left", right: "right", both: "both sides" };

export interface FindingList {
  element: HTMLElement;
  update: (label: Label, index: number) => void;
}

function summary(findings: Record<Label, Finding>, unjudged: string): { kind: string; text: string } {
  const any = findings["any"];
  const others = Object.values(findings);
  if (any?.state === "present") return { kind: "present", text: "Hemorrhage suspected" };
  if (others.some((one) => one.state !== "absent")) return { kind: "uncertain", text: "Not certain: please look" };
  if (unjudged) return { kind: "uncertain", text: "Incomplete: please look" };
  return { kind: "absent", text: "No hemorrhage detected" };
}

function meter(one: Finding): HTMLElement {
  const bar = h("span", { class: "meter", "aria-hidden": "true" }, h("span", { class: "fill" }), h("span", { class: "tick" }));
  const fill = bar.firstElementChild as HTMLElement;
  fill.style.setProperty("inline-size", `${100 * level(one.probability, one.threshold)}%`);
  return bar;
}

function entry(label: Label, one: Finding, count: number, press: () => void): HTMLElement {
  const side = SIDES[one.side] ? `, ${SIDES[one.side]}` : "";
  const where = one.slices.length > 0 ? `Slices ${ranges(one.slices)} of ${count}` : "No slice at its threshold";
  return h("li", { class: one.state },
    h("button", { type: "button", "data-label": label, "aria-pressed": "false", onclick: press },
      h("span", { class: "name" }, nameOf(label)),
      h("span", { class: "state" }, stateText(one.state) + side),
      meter(one),
      h("span", { class: "figure" }, probability(one.probability),
        h("span", { class: "dim" }, ` / ${probability(one.threshold)}`)),
      h("span", { class: "where dim" }, `${where}; strongest ${one.strongest + 1}`)));
}

/**
 * What the model says, in short and per label; a press shows the strongest slice and the heat of a label.
 * `unjudged`: what of the study was not analysed although it should have been.
 */
export function findingList(series: SeriesImages, result: Result | null, unjudged: string,
  jump: (label: Label, index: number) => void): FindingList {
  const findings = series.findings;
  if (!findings) {
    return { element: h("p", {}, series.reason ?? "This series has no findings."), update: () => undefined };
  }
  const said = summary(findings, unjudged);
  const labels = LABELS.filter((label) => findings[label]);
  const list = h("ul", { class: "findings" }, ...labels.map((label) => {
    const one = findings[label] as Finding;
    return entry(label, one, series.slices.length, () => jump(label, one.strongest));
  }));
  const here = h("p", { class: "here dim" });
  const warnings = result?.warnings ?? [];
  const limits = result?.findings?.not_assessed ?? [];
  const model = result?.model;
  const element = h("div", {},
    h("p", { class: `summary ${said.kind}` }, said.text),
    unjudged && h("p", { class: "problem" }, unjudged),
    list, here,
    warnings.length > 0 &&
      h("details", { class: "remarks", open: true }, h("summary", {}, `Remarks on quality (${warnings.length})`),
        h("ul", {}, ...warnings.map((text) => h("li", {}, text)))),
    limits.length > 0 &&
      h("details", { class: "remarks" }, h("summary", {}, "Not assessed"),
        h("ul", {}, ...limits.map((text) => h("li", {}, text)))),
    model && h("p", { class: "dim model" }, `Model ${model.name} ${model.version}, weights ${model.sha256.slice(0, 12)}`));
  return {
    element,
    update: (label, index) => {
      for (const button of list.querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(button.dataset["label"] === label));
      }
      const value = series.slices[index]?.probabilities?.[label];
      const limit = series.thresholds[label];
      refill(here, value === undefined || limit === undefined ? "" :
        `Slice ${index + 1}, ${nameOf(label).toLowerCase()}: ${probability(value)}, threshold ${probability(limit)}` +
        `${value >= limit ? " – at or above it" : ""}`);
    },
  };
}
