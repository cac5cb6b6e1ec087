import { ApiError, csrfToken, sentence, told } from "../api";
import { openDialog } from "../dialog";
import { h, icon, refill } from "../dom";
import { size } from "../format";
import { type Chosen, dropped, parts, picked } from "./collect";

interface Answer {
  accepted: number;
  refused: { name: string; reason: string }[];
  studies: number[];
}

const SHOWN = 50;

/** Sends one part; XMLHttpRequest, since fetch does not tell how much has gone. */
function post(files: Chosen[], sent: (bytes: number) => void): Promise<Answer> {
  const form = new FormData();
  for (const { file, name } of files) form.append("files", file, name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/uploads");
    request.setRequestHeader("X-CSRF-Token", csrfToken());
    request.responseType = "json";
    request.upload.onprogress = (event) => sent(event.loaded);
    request.onerror = () => reject(new ApiError(0, sentence(0, null)));
    request.onload = () => {
      const answer = request.response as (Answer & { detail?: unknown }) | null;
      if (request.status < 300 && answer) resolve(answer);
      else reject(new ApiError(request.status, sentence(request.status, answer)));
    };
    request.send(form);
  });
}

async function upload(files: Chosen[], done: () => void): Promise<void> {
  const total = files.reduce((sum, one) => sum + one.file.size, 0);
  const bar = h("progress", { max: Math.max(total, 1), value: 0, "aria-label": "Sent" });
  const text = h("p", { role: "status" }, `Sending ${files.length} files, ${size(total)}`);
  const list = h("ul", { class: "refused" });
  openDialog("Upload", text, bar, list);
  let accepted = 0;
  let before = 0;
  const refused: Answer["refused"] = [];
  try {
    for (const part of parts(files)) {
      const answer = await post(part, (bytes) => { bar.value = Math.min(total, before + bytes); });
      before += part.reduce((sum, one) => sum + one.file.size, 0);
      bar.value = before;
      accepted += answer.accepted;
      refused.push(...answer.refused);
    }
    bar.value = bar.max;
    refill(text, `${accepted} files accepted${refused.length ? `, ${refused.length} not` : ""}.`);
  } catch (error) {
    refill(text, `Stopped after ${accepted} accepted files: ${told(error)}`);
    text.className = "problem";
  }
  const more = refused.length > SHOWN ? [h("li", {}, `and ${refused.length - SHOWN} more`)] : [];
  refill(list, ...refused.slice(0, SHOWN).map((one) => h("li", {}, `${one.name}: ${one.reason}`)), ...more);
  done();
}

/** Buttons for files and folders, and the whole page as a place to drop them. */
export function uploader(page: HTMLElement, done: () => void): { element: HTMLElement; leave: () => void } {
  const files = h("input", { type: "file", multiple: true, class: "visually-hidden", tabindex: -1,
    "aria-label": "DICOM files or zip archives" });
  const folder = h("input", { type: "file", webkitdirectory: true, class: "visually-hidden", tabindex: -1,
    "aria-label": "Folder of DICOM files" });
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      const chosen = picked(input.files);
      input.value = "";
      if (chosen.length > 0) void upload(chosen, done);
    });
  }
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    page.classList.add("dropping");
  };
  const out = (event: DragEvent): void => {
    if (event.relatedTarget === null) page.classList.remove("dropping");
  };
  const drop = async (event: DragEvent): Promise<void> => {
    event.preventDefault();
    page.classList.remove("dropping");
    if (!event.dataTransfer) return;
    try {
      const chosen = await dropped(event.dataTransfer);
      if (chosen.length > 0) await upload(chosen, done);
    } catch (error) {
      openDialog("Upload", h("p", { class: "problem" }, told(error)));
    }
  };
  const onDrop = (event: DragEvent): void => void drop(event);
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", out);
  document.addEventListener("drop", onDrop);
  return {
    element: h("div", { class: "upload" }, files, folder,
      h("button", { type: "button", onclick: () => files.click() }, icon("upload"), "Upload files"),
      h("button", { type: "button", onclick: () => folder.click() }, "Folder")),
    leave: () => {
      document.removeEventListener("dragover", over);
      document.removeEventListener("dragleave", out);
      document.removeEventListener("drop", onDrop);
    },
  };
}
