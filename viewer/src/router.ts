/** A page that is shown; `leave` ends whatever it started. */
export interface Page {
  title: string;
  element: HTMLElement;
  leave?: () => void;
  shown?: () => void;
}

type Make = (parts: string[], query: URLSearchParams) => Page | Promise<Page>;
const routes: [RegExp, Make][] = [];
let show: () => void = () => undefined;

export function route(pattern: RegExp, make: Make): void {
  routes.push([pattern, make]);
}

export function onNavigate(then: () => void): void {
  show = then;
}

/** The page of the address, or null when there is none. */
export function find(): { make: () => Page | Promise<Page> } | null {
  for (const [pattern, make] of routes) {
    const found = pattern.exec(location.pathname);
    if (found) return { make: () => make(found.slice(1), new URLSearchParams(location.search)) };
  }
  return null;
}

export function go(path: string, replace = false): void {
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  show();
}

/** Lets links within the application change the page without loading it anew. */
export function followLinks(root: HTMLElement): void {
  root.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/api/") || link.pathname === "/licences.txt") return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
  window.addEventListener("popstate", () => show());
}
