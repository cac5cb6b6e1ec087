import { ApiError, get, send, told } from "./api";
import { h, refill } from "./dom";
import { NOTICE } from "./labels";
import type { Page } from "./router";
import type { Session } from "./types";

type Began = (session: Session) => void;

function field(label: string, name: string, more: Record<string, string | boolean>): HTMLElement {
  return h("label", { class: "field" }, h("span", {}, label), h("input", { name, required: true, ...more }));
}

function form(title: string, text: string, button: string, fields: HTMLElement[],
  submit: (values: Record<string, string>) => Promise<void>): HTMLElement {
  const problem = h("p", { class: "problem", role: "alert" });
  const press = h("button", { type: "submit", class: "primary" }, button);
  const element = h("form", { class: "card login", onsubmit: (event: SubmitEvent) => void send_(event) },
    h("h1", {}, title), text ? h("p", { class: "dim" }, text) : null, ...fields, problem, press);
  const send_ = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    press.disabled = true;
    refill(problem);
    const values = Object.fromEntries([...new FormData(element)].map(([name, value]) => [name, String(value)]));
    try {
      await submit(values);
    } catch (error) {
      refill(problem, told(error));
      element.querySelector<HTMLInputElement>("input[type=password]")?.select();
    } finally {
      press.disabled = false;
    }
  };
  return element;
}

/** Where everybody begins. */
export function loginPage(began: Began): Page {
  const element = form("Log in", "", "Log in", [
    field("User name", "name", { autocomplete: "username", autocapitalize: "none", spellcheck: "false" }),
    field("Password", "password", { type: "password", autocomplete: "current-password" }),
  ], async ({ name, password }) => {
    const session = await send<Session>("POST", "/api/session", { name, password });
    if (session) began(session);
  });
  return {
    title: "Log in",
    element: h("main", { id: "main", class: "centred" }, element,
      h("p", { class: "dim" }, `Head CT worklist. ${NOTICE}.`)),
    shown: () => element.querySelector<HTMLInputElement>("input")?.focus(),
  };
}

/** Asked for after the first login, and reached from the menu. */
export function passwordPage(began: Began): Page {
  const secret = { type: "password", minlength: "12", autocomplete: "new-password" };
  const element = form("Choose a password", "At least 12 characters, and not your name.", "Set password", [
    field("Old password", "old", { type: "password", autocomplete: "current-password" }),
    field("New password", "new", secret), field("New password again", "again", secret),
  ], async ({ old, new: fresh, again }) => {
    if (fresh !== again) throw new ApiError(400, "The two new passwords differ.");
    const session = await send<Session>("POST", "/api/session/password", { old, new: fresh });
    began(session?.csrf ? session : await get<Session>("/api/session"));
  });
  return { title: "Choose a password", element: h("main", { id: "main", class: "centred" }, element) };
}
