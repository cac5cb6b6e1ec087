import { get, send, told } from "../api";
import { h, icon, refill } from "../dom";
import { moment } from "../format";
import { LABELS, nameOf, shortOf, stateText } from "../labels";
import { toast } from "../toast";
import type { Box, Feedback, Label, SeriesImages, SliceMark, State, Verdict } from "../types";

const VERDICTS: [Verdict, string][] = [["agree", "Agree"], ["disagree", "Disagree"], ["unsure", "Unsure"]];
const OUTRIGHT: [Verdict, string][] = [["present", "Is there"], ["absent", "Is not there"], ["unsure", "Unsure"]];
const WORDS: Record<Verdict, string> = {
  agree: "agree", disagree: "disagree", unsure: "unsure", present: "is there", absent: "is not there",
};
const MAX_REASON = 2000;

export interface BoxMark {
  box: Box;
  index: number;
  remove: () => void;
}

/** What the form needs from the viewer. */
export interface Around {
  slice: () => number;
  label: () => Label;
  go: (index: number) => void;
  drawBox: () => void;
  boxes: () => BoxMark[];
}

export interface FeedbackForm {
  element: HTMLElement;
  /** A box was drawn or removed, another slice or label is shown. */
  update: () => void;
  dirty: () => boolean;
}

type Given = Feedback & { counts?: boolean };

/** A finding that is not certain states nothing to agree with: what is there is asked instead. */
function radios(label: Label, state: State | undefined, changed: () => void): HTMLElement {
  return h("span", { class: "segments" }, ...(state === "uncertain" ? OUTRIGHT : VERDICTS).map(([value, text]) =>
    h("label", { class: value }, h("input", { type: "radio", name: `verdict-${label}`, value, onchange: changed }),
      h("span", {}, text))));
}

function said(one: Given): HTMLElement {
  const verdicts = Object.entries(one.verdicts).map(([label, verdict]) => `${shortOf(label)}: ${WORDS[verdict]}`).join(", ");
  const marks = [one.slices.length > 0 && `${one.slices.length} slice marks`, one.boxes.length > 0 && `${one.boxes.length} boxes`];
  return h("li", { class: one.counts === false ? "replaced" : "" },
    h("p", {}, h("b", {}, one.user), h("span", { class: "dim" }, ` ${moment(one.time)}`),
      one.counts === false ? h("span", { class: "dim" }, " (replaced)") : null),
    h("p", {}, [verdicts, ...marks].filter(Boolean).join("; ")), one.reason ? h("p", { class: "quote" }, one.reason) : null);
}

/** Whether the findings are right: per label, per slice, with boxes and a reason. */
export function feedbackForm(study: number, result: number | null, series: SeriesImages, around: Around): FeedbackForm {
  let marks: SliceMark[] = [];
  let touched = false;
  const change = (): void => { touched = true; };
  const labels = LABELS.filter((label) => series.findings?.[label]);
  const verdicts = labels.map((label) => h("fieldset", { class: "verdict-row" },
    h("legend", {}, nameOf(label), h("span", { class: "dim" }, ` ${stateText(series.findings?.[label]?.state)}`)),
    radios(label, series.findings?.[label]?.state, change)));
  const kind = h("select", { id: "mark-label", "aria-label": "Type that is marked" },
    ...LABELS.map((label) => h("option", { value: label }, nameOf(label))));
  const markList = h("ul", { class: "marks" });
  const here = h("span", {});
  const reason = h("textarea", { id: "reason", rows: 3, maxlength: MAX_REASON, oninput: change });
  const problem = h("p", { class: "problem", role: "alert" });
  const earlier = h("ul", { class: "earlier" });
  const submit = h("button", { type: "submit", class: "primary" }, "Send feedback");

  const draw = (): void => {
    refill(here, `Slice ${around.slice() + 1}`);
    const entry = (text: string, index: number, remove: () => void): HTMLElement => h("li", {},
      h("button", { type: "button", class: "jump", onclick: () => around.go(index) }, text),
      h("button", { type: "button", class: "icon-button", "aria-label": `Remove: ${text}`, onclick: remove }, icon("close")));
    refill(markList,
      ...marks.map((mark) => {
        const index = series.slices.findIndex((one) => one.sop_instance_uid === mark.sop_instance_uid);
        const text = `Slice ${index + 1}: ${nameOf(mark.label).toLowerCase()} ${mark.present ? "is there" : "is not there"}`;
        return entry(text, index, () => { marks = marks.filter((one) => one !== mark); draw(); });
      }),
      ...around.boxes().map(({ box, index, remove }) =>
        entry(`Slice ${index + 1}: box, ${nameOf(box.label).toLowerCase()}`, index, remove)));
  };
  const mark = (present: boolean): void => {
    const uid = series.slices[around.slice()]?.sop_instance_uid ?? "";
    marks = marks.filter((one) => one.sop_instance_uid !== uid || one.label !== kind.value);
    marks.push({ sop_instance_uid: uid, label: kind.value, present });
    change();
    draw();
  };
  const agreeAll = (): void => {
    for (const input of form.querySelectorAll<HTMLInputElement>("input[value=agree]")) input.checked = true;
    change();
  };
  const loadEarlier = async (): Promise<void> => {
    const answer = await get<Given[] | { feedback: Given[] }>(`/api/studies/${study}/feedback`);
    const list = Array.isArray(answer) ? answer : answer.feedback;
    refill(earlier, ...list.map(said), list.length === 0 && h("li", { class: "dim" }, "None yet."));
  };
  const clear = (): void => {
    form.reset();
    marks = [];
    around.boxes().forEach((one) => one.remove());
    touched = false;
    draw();
  };
  const post = async (): Promise<void> => {
    const chosen = labels.flatMap((label) => {
      const value = form.querySelector<HTMLInputElement>(`input[name=verdict-${label}]:checked`)?.value;
      return value ? [[label, value] as const] : [];
    });
    const boxes = around.boxes().map((one) => one.box);
    refill(problem);
    if (chosen.length + marks.length + boxes.length === 0 && !reason.value.trim()) {
      refill(problem, "Say something first: a verdict, a mark, a box or a reason.");
      return;
    }
    submit.disabled = true;
    try {
      // What was on the screen goes along: the study may have been analysed anew since, or have other series.
      const states = Object.fromEntries(chosen.map(([label]) => [label, series.findings?.[label]?.state]));
      await send("POST", `/api/studies/${study}/feedback`, {
        result_id: result, verdicts: Object.fromEntries(chosen), states, slices: marks, boxes, reason: reason.value.trim(),
      });
      clear();
      toast("Feedback kept. Thank you.");
      await loadEarlier();
    } catch (error) {
      refill(problem, told(error));
    } finally {
      submit.disabled = false;
    }
  };
  const form = h("form", { class: "feedback", onsubmit: (event: SubmitEvent) => { event.preventDefault(); void post(); } },
    h("p", { class: "row" }, h("span", { class: "dim" }, "Is the result right?"),
      h("button", { type: "button", onclick: agreeAll }, "Agree to all")),
    ...verdicts,
    h("fieldset", { class: "marking" }, h("legend", {}, "On this slice"),
      h("p", { class: "row" }, here, kind),
      h("p", { class: "row" },
        h("button", { type: "button", onclick: () => mark(true) }, "Is there"),
        h("button", { type: "button", onclick: () => mark(false) }, "Is not there"),
        h("button", { type: "button", onclick: () => around.drawBox() }, icon("box"), "Draw box")),
      markList),
    h("label", { class: "field" }, h("span", {}, "Reason (no patient data, please)"), reason),
    problem, submit,
    h("h3", {}, "Earlier feedback"), earlier);
  kind.value = around.label();
  draw();
  loadEarlier().catch((error: unknown) => refill(problem, told(error)));
  return { element: form, update: draw, dirty: () => touched || around.boxes().length > 0 };
}
