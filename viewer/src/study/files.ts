import { send, told } from "../api";
import { confirm } from "../dialog";
import { h, refill } from "../dom";
import { size } from "../format";
import { toast } from "../toast";
import type { Delivery, Study, StudyFile } from "../types";

const KINDS: Record<string, string> = { send: "DICOM", store: "DICOMweb", hook: "Message", analyse: "Analysis" };
const STATES: Record<string, string> = {
  queued: "waiting", running: "on its way", done: "delivered", set_aside: "failed", outdated: "replaced",
};

const FILES: [RegExp, string][] = [
  [/\.html$/, "Report page"], [/\.txt$/, "Draft report"], [/-dicom\.zip$/, "DICOM results"], [/\.fhir\.json$/, "FHIR bundle"],
  [/\.json$/, "Result JSON"], [/-slice-\d+\.png$/, "Picture"], [/\.png$/, "Contact sheet"], [/./, "File"],
];

/** Place in the list, and what it is called; pictures of slices by their number. */
function kindOf(file: StudyFile): { order: number; text: string; picture: boolean } {
  const order = FILES.findIndex(([pattern]) => pattern.test(file.name));
  const slice = /-slice-(\d+)\.png$/.exec(file.name)?.[1];
  return { order, text: slice ? `Slice ${Number(slice)}` : FILES[order]![1], picture: slice !== undefined };
}

function fileLink(study: Study, file: StudyFile): HTMLElement {
  const href = `/api/studies/${study.id}/files/${encodeURIComponent(file.name)}`;
  return h("li", {}, h("a", { href, download: file.name }, kindOf(file).text), h("span", { class: "dim" }, size(file.size)));
}

function fileList(study: Study): HTMLElement {
  if (study.files.length === 0) return h("p", { class: "dim" }, "None.");
  const sorted = [...study.files].sort((a, b) => kindOf(a).order - kindOf(b).order || a.name.localeCompare(b.name));
  const pictures = sorted.filter((file) => kindOf(file).picture);
  return h("div", {},
    h("ul", { class: "files" }, ...sorted.filter((file) => !kindOf(file).picture).map((file) => fileLink(study, file))),
    pictures.length > 0 && h("details", { class: "pictures" }, h("summary", {}, `Pictures of slices (${pictures.length})`),
      h("ul", { class: "files" }, ...pictures.map((file) => fileLink(study, file)))));
}

function delivery(one: Delivery): HTMLElement {
  const retry = h("button", { type: "button", onclick: async () => {
    retry.disabled = true;
    try {
      await send("POST", `/api/deliveries/${one.id}/retry`);
      toast(`Sending to ${one.target} again`);
    } catch (error) {
      retry.disabled = false;
      toast(told(error), "error");
    }
  } }, "Try again");
  return h("li", { class: one.state },
    h("span", {}, `${KINDS[one.kind] ?? one.kind}: ${one.target}`),
    h("span", { class: `flag ${one.state === "done" ? "good" : one.state === "set_aside" ? "bad" : ""}` },
      STATES[one.state] ?? one.state),
    one.error ? h("p", { class: "dim" }, `${one.attempts} attempts; ${one.error}`) : null,
    one.state === "set_aside" || (one.state === "queued" && one.attempts > 1) ? retry : null);
}

/** Deliveries, files and analysing again. */
export function filesPanel(study: Study, deliveries: Delivery[]): HTMLElement {
  const status = h("p", { role: "status" });
  const again = async (): Promise<void> => {
    const text = "The study is analysed once more with the model of this service. The result so far is kept.";
    if (!(await confirm("Analyse again", text, "Analyse again"))) return;
    try {
      await send("POST", `/api/studies/${study.id}/analyse`);
      refill(status, "Queued. The page tells when the new result is there.");
    } catch (error) {
      toast(told(error), "error");
    }
  };
  return h("div", { class: "files-panel" },
    h("h3", {}, "Deliveries"),
    deliveries.length > 0 ? h("ul", { class: "deliveries" }, ...deliveries.map(delivery)) :
      h("p", { class: "dim" }, "None configured."),
    h("h3", {}, "Files"),
    fileList(study),
    study.result && study.result.length > 0 && study.files.some((file) => file.name.endsWith(".html")) &&
      h("p", {}, h("a", { href: `/api/studies/${study.id}/report`, target: "_blank", rel: "noopener" }, "Open the report page")),
    h("h3", {}, "Analysis"),
    h("p", {}, h("button", { type: "button", onclick: () => void again() }, "Analyse again")), status);
}
