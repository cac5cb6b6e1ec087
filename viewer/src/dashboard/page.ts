import { get, told } from "../api";
import { h, icon, refill } from "../dom";
import { duration } from "../format";
import { LABELS, nameOf } from "../labels";
import { OPEN, subscribe } from "../live";
import type { Page } from "../router";
import { table } from "../admin/table";
import { type Bar, bars, figure, percent, share } from "./chart";

interface Figures {
  studies: number;
  analysed: number;
  not_analysable: number;
  open: number;
  suspected: number;
  positive_rate: number | null;
  not_analysable_rate: number | null;
  median_probability: number | null;
  median_wait_s: number | null;
  remarks: number;
  studies_with_verdict: number;
  agreement: number | null;
}

interface Verdicts {
  agree: number;
  disagree: number;
  unsure: number;
  wrongly_present: number;
  wrongly_absent: number;
  agreement: number | null;
}

interface Dashboard {
  days: number;
  total: Figures;
  per_day: (Figures & { date: string })[];
  per_scanner: (Figures & { scanner: string })[];
  scores: { edges: number[]; counts: number[]; suspected: number[] };
  agreement: Record<string, Verdicts>;
  alarms: { sentence: string }[];
  watch: { days: number; baseline_days: number; least: number };
}

const SPANS = [7, 30, 90, 365];
let days = 30;

function cards(total: Figures): HTMLElement {
  const wait = total.median_wait_s === null ? "–" : duration(total.median_wait_s);
  return h("div", { class: "figures" },
    figure("Studies", String(total.studies), `${total.open} not finished`),
    figure("Suspected", percent(total.positive_rate), `${total.suspected} of ${total.analysed} analysed`),
    figure("Not analysable", percent(total.not_analysable_rate), `${total.not_analysable} studies`),
    figure("Result after", wait, "median, from the last image"),
    figure("Agreement", percent(total.agreement), `${total.studies_with_verdict} studies with a verdict`));
}

function alarms(found: Dashboard): HTMLElement {
  const { watch } = found;
  const text = `The last ${watch.days} days against the ${watch.baseline_days} days before, from ${watch.least} studies on; `
    + "silent scanners, analyses that wait, results that did not arrive.";
  if (found.alarms.length === 0) {
    return h("p", { class: "calm row" }, icon("check"), "No alarm.", h("span", { class: "dim" }, text));
  }
  return h("div", { class: "alarms", role: "alert" }, h("h2", {}, icon("warn"), `Alarms (${found.alarms.length})`),
    h("ul", {}, ...found.alarms.map((one) => h("li", {}, one.sentence))), h("p", { class: "dim" }, text));
}

function volume(found: Dashboard): HTMLElement {
  const list: Bar[] = found.per_day.map((day) => ({
    name: day.date.slice(5), value: day.studies, part: day.suspected,
    hint: `${day.date}: ${day.studies} studies, ${day.suspected} suspected, ${day.not_analysable} not analysable`,
  }));
  return h("section", { class: "card" }, h("h2", {}, "Studies per day"),
    legend("studies", "suspected"), bars(`Studies per day, last ${found.days} days`, list, Math.ceil(list.length / 8)));
}

function scores(found: Dashboard): HTMLElement {
  const { edges, counts, suspected } = found.scores;
  const list: Bar[] = counts.map((count, k) => ({
    name: (edges[k] ?? 0).toFixed(1), value: count, part: suspected[k] ?? 0,
    hint: `${edges[k]} to ${edges[k + 1]}: ${count} studies, ${suspected[k] ?? 0} suspected`,
  }));
  return h("section", { class: "card" }, h("h2", {}, "Distribution of probabilities"),
    legend("studies", "suspected"), bars("Studies by probability of any hemorrhage", list, 4));
}

function legend(all: string, part: string): HTMLElement {
  return h("p", { class: "legend dim" }, h("span", { class: "swatch all" }), all, h("span", { class: "swatch part" }), part);
}

function agreement(found: Dashboard): HTMLElement {
  const rows = LABELS.filter((label) => found.agreement[label]).map((label) => ({ label, ...found.agreement[label]! }));
  return h("section", { class: "card" }, h("h2", {}, "Agreement of readers with the result"),
    table("Agreement per type", ["Type", "Agreement", "Agree", "Disagree", "Unsure", "Wrongly found", "Missed"], rows, (row) => [
      nameOf(row.label), share(row.agreement), row.agree, row.disagree, row.unsure, row.wrongly_present, row.wrongly_absent,
    ], "No feedback yet."));
}

function scanners(found: Dashboard): HTMLElement {
  const heads = ["Scanner", "Studies", "Suspected", "Not analysable", "Median probability", "Agreement"];
  return h("section", { class: "card" }, h("h2", {}, "Scanners"),
    table("Scanners", heads, found.per_scanner, (row) => [
      row.scanner || "not told", row.studies, percent(row.positive_rate), percent(row.not_analysable_rate),
      row.median_probability?.toFixed(2) ?? "–", percent(row.agreement),
    ], "No studies in these days."));
}

/** How much came, how often something was suspected, and how far people agree. */
export async function dashboardPage(): Promise<Page> {
  const content = h("div", { class: "stack" });
  const select = h("select", { onchange: () => { days = Number(select.value); void load(); } },
    ...SPANS.map((one) => h("option", { value: one, selected: one === days }, `${one} days`)));
  const load = async (): Promise<void> => {
    try {
      const found = await get<Dashboard>(`/api/dashboard?days=${days}`);
      refill(content, alarms(found), cards(found.total), h("div", { class: "columns" }, volume(found), scores(found)),
        agreement(found), scanners(found));
    } catch (error) {
      refill(content, h("p", { class: "problem", role: "alert" }, told(error)));
    }
  };
  await load();
  const unsubscribe = subscribe((event) => { if ([OPEN, "alarm"].includes(event.kind)) void load(); });
  return {
    title: "Dashboard",
    element: h("main", { id: "main", class: "dashboard" },
      h("div", { class: "row head" }, h("h1", {}, "Dashboard"), h("label", { class: "row" }, h("span", { class: "dim" }, "Last"), select),
        h("span", { class: "dim" }, "Days are those of UTC")), content),
    leave: unsubscribe,
  };
}
