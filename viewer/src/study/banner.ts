import { h, icon } from "../dom";
import { age, date, moment, personName, time } from "../format";
import type { Study } from "../types";

export interface Banner {
  element: HTMLElement;
  update: (study: Study) => void;
}

/** Whose images these are, and the way to other studies. */
export function banner(first: Study, act: { study: (step: number) => void; read: () => void }): Banner {
  const read = h("button", { type: "button", class: "read", title: "Mark as read or unread (M)", onclick: act.read });
  const move = (step: number, name: string, text: string): HTMLElement =>
    h("button", { type: "button", class: "tool", title: text, "aria-label": text.replace(/ \(.*/, ""),
      onclick: () => act.study(step) }, icon(name));
  const years = age(first.birth_date, first.study_date);
  const born = first.birth_date ? `born ${date(first.birth_date)}` : "";
  const element = h("div", { class: "banner" },
    h("a", { href: "/", class: "button", title: "Worklist (Esc)" }, icon("back"), "Worklist"),
    h("div", { class: "who" },
      h("h1", {}, personName(first.patient_name)),
      h("p", { class: "dim" }, [first.patient_id, first.sex, years, born].filter(Boolean).join(" · "))),
    h("div", { class: "what" },
      h("p", {}, first.description || "Study"),
      h("p", { class: "dim" },
        [date(first.study_date), time(first.study_time), first.accession_number].filter(Boolean).join(" · "))),
    h("div", { class: "moves" }, read, move(-1, "back", "Previous study (Shift N)"), move(1, "next", "Next study (N)")));
  const update = (study: Study): void => {
    const done = study.read_at !== null;
    read.replaceChildren(...(done ? [icon("check")] : []), done ? "Read" : "Mark as read");
    read.classList.toggle("done", done);
    read.setAttribute("aria-pressed", String(done));
    if (study.read_at !== null) read.title = `Read by ${study.read_by}, ${moment(study.read_at)} (M)`;
  };
  update(first);
  return { element, update };
}
