import { told } from "../api";
import { h } from "../dom";
import type { Page } from "../router";
import { tokensPart } from "./tokens";
import { auditPart, jobsPart, refusalsPart, systemPart } from "./trails";
import { feedbackPart } from "./export";
import { usersPart } from "./users";

const PARTS: Record<string, { name: string; text: string; make: () => Promise<HTMLElement> }> = {
  users: { name: "Users", text: "People who may log in.", make: usersPart },
  tokens: { name: "Tokens", text: "Keys of other programs.", make: tokensPart },
  jobs: { name: "Jobs", text: "Analyses and deliveries.", make: jobsPart },
  refusals: { name: "Refused", text: "What was sent and not taken, or set aside: nothing is lost in silence.", make: refusalsPart },
  audit: { name: "Audit", text: "Who did what to which study.", make: auditPart },
  feedback: { name: "Feedback", text: "What readers said, as labels to evaluate and to learn from.", make: feedbackPart },
  system: { name: "System", text: "How the machine does.", make: systemPart },
};

/** The parts of the administration, each with an address of its own. */
export async function adminPage(part: string): Promise<Page> {
  const chosen = PARTS[part] ?? PARTS["users"]!;
  const content = await chosen.make().catch((error: unknown) => h("p", { class: "problem", role: "alert" }, told(error)));
  return {
    title: chosen.name,
    element: h("main", { id: "main", class: "admin" },
      h("nav", { class: "side-nav", "aria-label": "Administration" },
        ...Object.entries(PARTS).map(([key, one]) =>
          h("a", { href: `/administration/${key}`, "aria-current": one === chosen ? "page" : null }, one.name))),
      h("div", { class: "content" }, h("h1", {}, chosen.name), h("p", { class: "dim" }, chosen.text), content)),
  };
}
