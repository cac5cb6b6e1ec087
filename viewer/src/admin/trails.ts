import { get } from "../api";
import { h, refill, type Child } from "../dom";
import { moment, size } from "../format";
import { flag, pages, table } from "./table";

const PAGE = 100;

interface Rows<T> {
  total: number;
  rows: T[];
  counts?: Record<string, Record<string, number>>;
}

interface Choice {
  name: string;
  label: string;
  values: string[];
}

/** A long list that is read in parts, with one filter at most. */
async function trail<T>(path: string, caption: string, heads: string[], cells: (row: T) => Child[], choice?: Choice):
Promise<HTMLElement> {
  const place = h("div", { class: "stack" });
  let chosen = "";
  const load = async (offset: number): Promise<void> => {
    const query = new URLSearchParams({ limit: String(PAGE), offset: String(offset) });
    if (choice && chosen) query.set(choice.name, chosen);
    const found = await get<Rows<T>>(`/api/${path}?${query}`);
    refill(place, pages(found.total, offset, PAGE, (to) => void load(to)), table(caption, heads, found.rows, cells, "Nothing."));
  };
  await load(0);
  const select = choice && h("select", { onchange: () => { chosen = select?.value ?? ""; void load(0); } },
    h("option", { value: "" }, "all"), ...choice.values.map((value) => h("option", { value }, value.replace("_", " "))));
  return h("div", { class: "stack" },
    select ? h("label", { class: "field inline" }, h("span", {}, choice.label), select) : null, place);
}

interface AuditRow { time: number; actor: string; action: string; study_id: number | null; address: string; outcome: string;
  detail: string }

const studyLink = (id: number | null): Child => (id === null ? null : h("a", { href: `/studies/${id}` }, `Study ${id}`));

export function auditPart(): Promise<HTMLElement> {
  return trail<AuditRow>("audit", "Audit trail", ["Time", "Who", "What", "Study", "From", "Outcome", "Detail"], (row) => [
    moment(row.time), row.actor, row.action, studyLink(row.study_id), row.address,
    flag(row.outcome, row.outcome === "done" ? "good" : "bad"), row.detail,
  ], { name: "outcome", label: "Outcome", values: ["done", "refused", "failed"] });
}

interface RefusalRow { time: number; source: string; reason: string; set_aside: boolean }

export function refusalsPart(): Promise<HTMLElement> {
  return trail<RefusalRow>("refusals", "Refused and set aside", ["Time", "From", "Reason", "File"], (row) => [
    moment(row.time), row.source, row.reason, row.set_aside ? flag("kept aside") : flag("not taken", "bad"),
  ]);
}

interface JobRow { kind: string; study_id: number; target: string; state: string; attempts: number; run_after: number;
  error: string; created: number }

const JOB_KINDS: Record<string, string> = { analyse: "analysis", send: "DICOM", store: "DICOMweb", hook: "message" };

export function jobsPart(): Promise<HTMLElement> {
  return trail<JobRow>("jobs", "Jobs", ["Since", "Work", "Study", "To", "State", "Attempts", "Next", "Error"], (row) => [
    moment(row.created), JOB_KINDS[row.kind] ?? row.kind, studyLink(row.study_id), row.target || "–",
    flag(row.state.replace("_", " "), row.state === "done" ? "good" : row.state === "set_aside" ? "bad" : ""),
    row.attempts, row.state === "queued" ? moment(row.run_after) : "", row.error,
  ], { name: "state", label: "State", values: ["queued", "running", "done", "set_aside", "outdated"] });
}

interface System {
  version: string;
  python: string;
  packages: Record<string, string>;
  database: string;
  model: string;
  model_sha256: string;
  storage: { total: number; free: number; held: number; limit: number; least_free: number };
  node: string;
  peers: { name: string; kind: string; address: string; receives_results: boolean }[];
}

export async function systemPart(): Promise<HTMLElement> {
  const told = await get<System>("/api/system");
  const { storage } = told;
  const facts: [string, Child][] = [
    ["Version", `ichscan ${told.version}, Python ${told.python}, ${told.database}`],
    ["Model", told.model ? `${told.model}, weights ${told.model_sha256.slice(0, 12)}` : "no result yet"],
    ["DICOM node", told.node || "off"],
    ["Images held", `${size(storage.held)}${storage.limit ? ` of at most ${size(storage.limit)}` : ""}`],
    ["Disk", `${size(storage.free)} free of ${size(storage.total)}; at least ${size(storage.least_free)} stay free`],
    ["Packages", Object.entries(told.packages).map(([name, version]) => `${name} ${version}`).join(", ")],
  ];
  return h("div", { class: "stack" },
    h("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("h2", {}, "Peers"),
    table("Peers", ["Name", "Kind", "Address", "Results"], told.peers, (peer) => [
      h("b", {}, peer.name), peer.kind, peer.address, peer.receives_results ? flag("sent there", "good") : "–",
    ], "No peers are configured."));
}
