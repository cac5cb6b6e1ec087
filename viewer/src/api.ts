import type { Session } from "./types";

/** The service said no, or could not be reached (status 0). */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

let csrf = "";
let loggedOut: () => void = () => undefined;

/** Remembers what requests that change something must show. */
export function useSession(session: Session | null): void {
  csrf = session?.csrf ?? "";
}

/** `then` is called when the service says that the login has ended. */
export function onLoggedOut(then: () => void): void {
  loggedOut = then;
}

export function csrfToken(): string {
  return csrf;
}

interface Told {
  detail?: unknown;
}

/** A sentence from the body of a refused request. */
export function sentence(status: number, told: Told | null): string {
  const detail = told?.detail;
  if (typeof detail === "string" && detail) return detail;
  if (Array.isArray(detail)) {
    return detail.map((one: { msg?: unknown }) => String(one.msg ?? "not valid")).join("; ");
  }
  return status === 0 ? "The service cannot be reached." : `The service answered with status ${status}.`;
}

async function ask(method: string, path: string, body?: unknown, options: RequestInit = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  if (method !== "GET") headers.set("X-CSRF-Token", csrf);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  let response: Response;
  try {
    response = await fetch(path, {
      ...options, method, headers, credentials: "same-origin",
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, sentence(0, null));
  }
  if (response.ok) return response;
  const told = (await response.json().catch(() => null)) as Told | null;
  if (response.status === 401 && path !== "/api/session") loggedOut();
  throw new ApiError(response.status, sentence(response.status, told));
}

/** JSON of a GET. */
export async function get<T>(path: string, options: RequestInit = {}): Promise<T> {
  return (await (await ask("GET", path, undefined, options)).json()) as T;
}

/** Bytes of a GET, with the answer's headers. */
export async function bytes(path: string, options: RequestInit = {}): Promise<{ data: ArrayBuffer; headers: Headers }> {
  const response = await ask("GET", path, undefined, options);
  return { data: await response.arrayBuffer(), headers: response.headers };
}

/** Changes something; the answer's JSON, or null where it has none. */
export async function send<T>(method: "POST" | "DELETE" | "PATCH", path: string, body?: unknown): Promise<T | null> {
  const response = await ask(method, path, body);
  const text = await response.text();
  return text ? (JSON.parse(text) as T) : null;
}

/** What to tell a person of any error. */
export function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
