import { get, send, told } from "../api";
import { confirm } from "../dialog";
import { h, refill } from "../dom";
import { moment } from "../format";
import { toast } from "../toast";
import { flag, table } from "./table";
import { tellOnce } from "./users";

interface Token {
  id: number;
  name: string;
  scopes: string[];
  created: number;
  revoked: boolean;
}

const SCOPES: [string, string][] = [
  ["store", "store images (STOW-RS, upload)"], ["read", "read studies and results"], ["metrics", "read metrics"],
];

/** Keys of other programs. */
export async function tokensPart(): Promise<HTMLElement> {
  const place = h("div", {});
  const load = async (): Promise<void> => {
    const { tokens } = await get<{ tokens: Token[] }>("/api/tokens");
    refill(place, table("Tokens", ["Name", "May", "State", "Since", ""], tokens, (token) => [
      h("b", {}, token.name), token.scopes.join(", "), token.revoked ? flag("revoked", "bad") : flag("active", "good"),
      moment(token.created), token.revoked ? null : h("div", { class: "row end" }, revoke(token, load)),
    ], "No tokens."));
  };
  await load();
  return h("div", { class: "stack" }, newToken(load), place);
}

function revoke(token: Token, load: () => Promise<void>): HTMLElement {
  const end = async (): Promise<void> => {
    if (!(await confirm("Revoke token", `Programs that use ${token.name} are refused at once.`, "Revoke"))) return;
    try {
      await send("DELETE", `/api/tokens/${token.id}`);
      await load();
    } catch (error) {
      toast(told(error), "error");
    }
  };
  return h("button", { type: "button", "aria-label": `Revoke ${token.name}`, onclick: () => void end() }, "Revoke");
}

function newToken(load: () => Promise<void>): HTMLElement {
  const name = h("input", { name: "name", required: true, maxlength: 64, pattern: "[A-Za-z0-9._@\\-]+", autocomplete: "off",
    title: "Letters, digits, dots, hyphens, underscores and @", spellcheck: "false" });
  const boxes = SCOPES.map(([scope, text]) => ({ scope, box: h("input", { type: "checkbox" }), text }));
  const problem = h("p", { class: "problem", role: "alert" });
  const add = async (): Promise<void> => {
    const scopes = boxes.filter((one) => one.box.checked).map((one) => one.scope);
    refill(problem, scopes.length === 0 && "Choose what the token may do.");
    if (scopes.length === 0) return;
    try {
      const made = await send<{ token: string }>("POST", "/api/tokens", { name: name.value, scopes });
      const text = `Token of ${name.value}; told once and stored nowhere.`;
      name.value = "";
      if (made) tellOnce("Token added", text, made.token);
      await load();
    } catch (error) {
      refill(problem, told(error));
    }
  };
  return h("form", { class: "row inline", onsubmit: (event: SubmitEvent) => { event.preventDefault(); void add(); } },
    h("label", { class: "field" }, h("span", {}, "New token for"), name),
    h("fieldset", { class: "row plain" }, h("legend", {}, "It may"),
      ...boxes.map(({ box, text }) => h("label", { class: "check" }, box, text))),
    h("button", { type: "submit", class: "primary" }, "Add token"), problem);
}
