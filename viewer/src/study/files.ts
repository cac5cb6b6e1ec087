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

function kindOf(file: StudyFile): string {
  if (/\.fhir\.json$/.test(file.name)) return "FHIR bundle";
  if (/-dicom\.zip$/.test(file.name)) return "DICOM results";
  const suffix = /\.(\w+)$/.exec(file.name)?.[1] ?? "";
  return { html: "Report page", txt: "Draft report", json: "Result JSON", png: "Picture", zip: "Archive" }[suffix] ?? suffix;
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
  const files = study.files.map((file) => {
    const href = `/api/studies/${study.id}/files/${encodeURIComponent(file.name)}`;
    return h("li", {}, h("a", { href, download: file.name }, kindOf(file)), h("span", { class: "dim" }, size(file.size)));
  });
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
    files.length > 0 ? h("ul", { class: "files" }, ...files) : h("p", { class: "dim" }, "None."),
    study.result && study.result.length > 0 && study.files.some((file) => file.name.endsWith(".html")) &&
      h("p", {}, h("a", { href: `/api/studies/${study.id}/report`, target: "_blank", rel: "noopener" }, "Open the report page")),
    h("h3", {}, "Analysis"),
    h("p", {}, h("button", { type: "button", onclick: () => void again() }, "Analyse again")), status);
}
