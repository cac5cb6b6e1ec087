import { ApiError, get, onLoggedOut, useSession } from "./api";
import { h } from "./dom";
import { connect, disconnect } from "./live";
import { loginPage, passwordPage } from "./login";
import { find, followLinks, go, onNavigate, route, type Page } from "./router";
import { frame } from "./shell";
import type { Session } from "./types";
import { worklistPage } from "./worklist/page";

/** Set while somebody is logged in here, so that a browser that never was does not ask in vain. */
const REMEMBERED = "ichscan.session";
const app = document.getElementById("app") as HTMLElement;
let session: Session | null = null;
let current: Page | null = null;
let navigation = 0;

route(/^\/$/, () => worklistPage());
route(/^\/studies\/(\d+)$/, async ([id], query) => {
  const { studyPage } = await import("./study/page");
  return studyPage(Number(id), query);
});
route(/^\/dashboard$/, async () => (await import("./dashboard/page")).dashboardPage());
route(/^\/administration(?:\/(\w+))?$/, async ([part]) => (await import("./admin/page")).adminPage(part ?? "users"));
route(/^\/password$/, () => passwordPage(began));

function problemPage(title: string, text: string): Page {
  return { title, element: h("main", { class: "message", id: "main" }, h("h1", {}, title), h("p", {}, text),
    h("p", {}, h("a", { href: "/" }, "To the worklist"))) };
}

async function pageOf(): Promise<Page> {
  if (!session) return loginPage(began);
  if (session.must_change) return passwordPage(began);
  const found = find();
  if (!found) return problemPage("No such page", "The address is not one of this application.");
  try {
    return await found.make();
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return loginPage(began);
    const text = error instanceof Error ? error.message : String(error);
    return problemPage("This page cannot be shown", text);
  }
}

async function show(): Promise<void> {
  const mine = ++navigation;
  current?.leave?.();
  current = null;
  const page = await pageOf();
  if (mine !== navigation) {
    page.leave?.();
    return;
  }
  current = page;
  document.title = `${page.title} – ichscan`;
  app.replaceChildren(frame(session, page, leave));
  page.shown?.();
}

function remember(logged: boolean): void {
  if (logged) localStorage.setItem(REMEMBERED, "1");
  else localStorage.removeItem(REMEMBERED);
}

function began(now: Session): void {
  session = now;
  remember(true);
  useSession(now);
  if (!now.must_change) connect();
  if (location.pathname === "/login" || location.pathname === "/password") go("/", true);
  else void show();
}

function leave(): void {
  session = null;
  remember(false);
  useSession(null);
  disconnect();
  void show();
}

async function start(): Promise<void> {
  onNavigate(() => void show());
  followLinks(document.body);
  onLoggedOut(() => { if (session) leave(); });
  if (!localStorage.getItem(REMEMBERED)) return show();
  try {
    began(await get<Session>("/api/session"));
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
    leave();
  }
}

start().catch((error: unknown) => {
  const page = problemPage("The service cannot be reached", error instanceof Error ? error.message : String(error));
  app.replaceChildren(page.element);
});
