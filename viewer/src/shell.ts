import { send, told } from "./api";
import { h, icon } from "./dom";
import { NOTICE } from "./labels";
import { onConnection } from "./live";
import type { Page } from "./router";
import { toast } from "./toast";
import type { Session } from "./types";

function link(href: string, text: string): HTMLElement {
  const here = href === "/" ? location.pathname === "/" : location.pathname.startsWith(href);
  return h("a", { href, "aria-current": here ? "page" : null }, text);
}

/** The page in its frame: navigation, the notice that is always there, and who is logged in. */
export function frame(session: Session | null, page: Page, leave: () => void): DocumentFragment {
  const out = document.createDocumentFragment();
  const logOut = async (): Promise<void> => {
    try {
      await send("DELETE", "/api/session");
      leave();
    } catch (error) {
      toast(told(error), "error");
    }
  };
  const live = h("span", { class: "live", role: "img" });
  onConnection((open) => {
    live.classList.toggle("open", open);
    live.setAttribute("aria-label", open ? "Live" : "Not connected: trying again");
    live.title = open ? "Live: changes are shown as they happen" : "Not connected: trying again";
  });
  out.append(
    h("a", { class: "skip", href: "#main" }, "Skip to content"),
    h("header", { class: "top" },
      h("a", { class: "brand", href: "/" }, h("img", { src: "/favicon.svg", alt: "", width: 22, height: 22 }), "ichscan"),
      session && !session.must_change && h("nav", { "aria-label": "Main" },
        link("/", "Worklist"), link("/dashboard", "Dashboard"),
        session.role === "administrator" && link("/administration", "Administration")),
      h("p", { class: "notice" }, icon("warn"), NOTICE),
      session?.demo && h("p", { class: "demo" }, "Demonstration: names replaced"),
      session && live,
      session && h("details", { class: "menu" },
        h("summary", {}, icon("user"), h("span", {}, session.user)),
        h("div", {},
          h("p", { class: "dim" }, `${session.role}, ichscan ${session.version}`),
          h("a", { href: "/password" }, "Change password"),
          h("a", { href: "/licences.txt", target: "_blank", rel: "noopener" }, "Licences"),
          h("button", { type: "button", onclick: () => void logOut() }, "Log out")))),
    page.element,
  );
  return out;
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    if (!(event.target instanceof Node) || !menu.contains(event.target)) menu.open = false;
  }
});
