import { get, send, told } from "../api";
import { confirm, openDialog } from "../dialog";
import { h, refill } from "../dom";
import { moment } from "../format";
import { toast } from "../toast";
import { flag, table } from "./table";

interface User {
  id: number;
  name: string;
  role: string;
  created: number;
  disabled: boolean;
  must_change: boolean;
  locked: boolean;
}

interface Made {
  user: User;
  password: string | null;
}

/** What is told once and kept nowhere. */
export function tellOnce(title: string, text: string, secret: string): void {
  const copy = h("button", { type: "button", onclick: async () => {
    await navigator.clipboard.writeText(secret);
    toast("Copied");
  } }, "Copy");
  openDialog(title, h("p", {}, text), h("p", { class: "row secret" }, h("code", {}, secret), copy));
}

/** People who may log in. */
export async function usersPart(): Promise<HTMLElement> {
  const place = h("div", {});
  const load = async (): Promise<void> => {
    const { users } = await get<{ users: User[] }>("/api/users");
    refill(place, table("Users", ["Name", "Role", "State", "Since", ""], users, (user) => [
      h("b", {}, user.name), user.role, stateOf(user), moment(user.created), buttons(user, load),
    ], "No users."));
  };
  await load();
  return h("div", { class: "stack" }, newUser(load), place);
}

function stateOf(user: User): HTMLElement {
  if (user.disabled) return flag("disabled", "bad");
  if (user.locked) return flag("locked for some minutes", "bad");
  return user.must_change ? flag("must choose a password") : flag("active", "good");
}

function buttons(user: User, load: () => Promise<void>): HTMLElement {
  const change = async (what: Record<string, unknown>): Promise<void> => {
    try {
      const made = await send<Made>("PATCH", `/api/users/${user.id}`, what);
      if (made?.password) {
        tellOnce("New password", `Of ${user.name}; told once. Another must be chosen at the next login.`, made.password);
      }
      await load();
    } catch (error) {
      toast(told(error), "error");
    }
  };
  const reset = async (): Promise<void> => {
    const text = `${user.name} is logged out, and the password so far ends.`;
    if (await confirm("Make a new password", text, "New password")) await change({ reset_password: true });
  };
  const other = user.role === "administrator" ? "reader" : "administrator";
  const of = (text: string): Record<string, string> => ({ "aria-label": `${text}: ${user.name}` });
  return h("div", { class: "row end" },
    h("button", { type: "button", ...of(`Make ${other}`), onclick: () => void change({ role: other }) }, `Make ${other}`),
    h("button", { type: "button", ...of("New password"), onclick: () => void reset() }, "New password"),
    h("button", { type: "button", ...of(user.disabled ? "Enable" : "Disable"),
      onclick: () => void change({ disabled: !user.disabled }) }, user.disabled ? "Enable" : "Disable"));
}

function newUser(load: () => Promise<void>): HTMLElement {
  const name = h("input", { name: "name", required: true, maxlength: 64, pattern: "[A-Za-z0-9._@\\-]+",
    title: "Letters, digits, dots, hyphens, underscores and @", autocomplete: "off", spellcheck: "false" });
  const role = h("select", { name: "role" }, h("option", {}, "reader"), h("option", {}, "administrator"));
  const problem = h("p", { class: "problem", role: "alert" });
  const add = async (): Promise<void> => {
    refill(problem);
    try {
      const made = await send<Made>("POST", "/api/users", { name: name.value, role: role.value });
      const text = `Password of ${name.value}; told once. Another must be chosen at the first login.`;
      name.value = "";
      if (made?.password) tellOnce("User added", text, made.password);
      await load();
    } catch (error) {
      refill(problem, told(error));
    }
  };
  return h("form", { class: "row inline", onsubmit: (event: SubmitEvent) => { event.preventDefault(); void add(); } },
    h("label", { class: "field" }, h("span", {}, "New user"), name),
    h("label", { class: "field" }, h("span", {}, "Role"), role),
    h("button", { type: "submit", class: "primary" }, "Add user"), problem);
}
