import { h, icon, type Child } from "../dom";
import { age, date, duration, moment, personName, probability, time } from "../format";
import { nameOf, shortOf, stateText, statusText, TYPES } from "../labels";
import type { Row } from "../types";

/** What matters most about a study, in a word and a colour. */
export function verdictOf(row: Row): { kind: string; text: string } {
  // stands until a later analysis takes it back, also while late images are awaited
  if (row.suspected) return { kind: "present", text: "Suspected" };
  if (row.status === "not_analysable" || row.status === "set_aside") {
    return { kind: "look", text: statusText(row.status) };
  }
  if (row.status !== "analysed") return { kind: "pending", text: statusText(row.status) };
  const unsure = Object.values(row.states).includes("uncertain") || Object.values(row.states).includes("present");
  if (unsure) return { kind: "uncertain", text: "Not certain" };
  return row.reason ? { kind: "look", text: "Incomplete" } : { kind: "absent", text: "Not detected" };
}

function types(row: Row): HTMLElement {
  const chips = TYPES.map((label) => {
    const state = row.states[label];
    const said = `${nameOf(label)}: ${stateText(state)}`;
    return h("span", { class: `type ${state ?? "none"}`, title: said },
      h("span", { "aria-hidden": "true" }, shortOf(label)), h("span", { class: "visually-hidden" }, `${said}. `));
  });
  return h("div", { class: "types" }, ...chips);
}

function deliveries(row: Row): Child {
  const { done = 0, waiting = 0, set_aside: aside = 0 } = row.deliveries;
  if (aside > 0) return h("span", { class: "flag bad" }, `${aside} failed`);
  if (waiting > 0) return h("span", { class: "flag" }, `${waiting} waiting`);
  return done > 0 ? h("span", { class: "flag good" }, icon("check"), "sent") : null;
}

function readState(row: Row): Child {
  if (row.read_at === null) return null;
  return h("span", { class: "flag good", title: `Read by ${row.read_by}, ${moment(row.read_at)}` }, icon("check"), "read");
}

/** Seconds since the study came, counted on from what the service said at `asked` (ms). */
export function waited(row: Row, asked: number): string {
  return duration(row.waiting_s + (Date.now() - asked) / 1000);
}

/** One study of the worklist. */
export function rowOf(row: Row, asked: number): HTMLTableRowElement {
  const verdict = verdictOf(row);
  const years = age(row.birth_date, row.study_date);
  const person = [row.patient_id, row.sex, years].filter(Boolean).join(" · ");
  const when = [date(row.study_date), time(row.study_time)].filter(Boolean).join(" ");
  const again = row.suspected && row.status !== "analysed" ? statusText(row.status) : "";
  const reason = [again, row.reason].filter(Boolean).join(": ");
  const open = row.read_at === null && row.status !== "receiving";
  return h("tr", { class: `${verdict.kind} ${row.read_at === null ? "unread" : "read"}`, "data-study": row.id },
    h("td", { class: "result" },
      h("span", { class: `verdict ${verdict.kind}` }, verdict.text),
      row.probability === null ? null : h("span", { class: "probability" }, probability(row.probability)),
      reason ? h("p", { class: "reason", title: reason }, reason) : null),
    h("th", { scope: "row", class: "person" },
      h("a", { href: `/studies/${row.id}`, class: "open" }, personName(row.patient_name)),
      h("p", { class: "dim" }, person)),
    h("td", { class: "kinds" }, types(row)),
    h("td", { class: "exam" }, h("p", {}, when),
      h("p", { class: "dim" }, [row.description, row.accession_number].filter(Boolean).join(" · "))),
    h("td", { class: "scanner" }, h("p", { title: row.station }, row.station || "–"), h("p", { class: "dim" }, row.source)),
    h("td", { class: "number" }, row.images),
    h("td", { class: "number wait", "data-wait": open ? "" : null }, waited(row, asked)),
    h("td", { class: "flags" }, readState(row), deliveries(row),
      row.feedback > 0 ? h("span", { class: "flag" }, `${row.feedback} feedback`) : null));
}
