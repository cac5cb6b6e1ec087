import type { Label, State } from "./types";

interface Naming {
  name: string;
  short: string;
}

const NAMES: Record<Label, Naming> = {
  any: { name: "Any hemorrhage", short: "ANY" },
  epidural: { name: "Epidural", short: "EDH" },
  intraparenchymal: { name: "Intraparenchymal", short: "IPH" },
  intraventricular: { name: "Intraventricular", short: "IVH" },
  subarachnoid: { name: "Subarachnoid", short: "SAH" },
  subdural: { name: "Subdural", short: "SDH" },
};

/** The order in which labels are listed: any first, then the types as the model has them. */
export const LABELS: Label[] = ["any", "epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural"];
export const TYPES: Label[] = LABELS.filter((label) => label !== "any");

export function nameOf(label: Label): string {
  return NAMES[label]?.name ?? label;
}

export function shortOf(label: Label): string {
  return NAMES[label]?.short ?? label;
}

const STATES: Record<State, string> = { present: "suspected", uncertain: "not certain", absent: "not detected" };

/** In words; never as a diagnosis. */
export function stateText(state: State | undefined): string {
  return state === undefined ? "not assessed" : STATES[state];
}

const STATUSES: Record<string, string> = {
  receiving: "Receiving",
  waiting: "Waiting",
  analysing: "Analysing",
  analysed: "Analysed",
  not_analysable: "Not analysable",
  set_aside: "Set aside",
};
export const STATUS_ORDER = Object.keys(STATUSES);

export function statusText(status: string): string {
  return STATUSES[status] ?? status;
}

export const NOTICE = "AI result: not for diagnostic use alone";
