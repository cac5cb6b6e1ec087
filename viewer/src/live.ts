import type { LiveEvent } from "./types";

type Listener = (event: LiveEvent) => void;
/** Kind of the event that says that the connection stands (again): what is shown may be old. */
export const OPEN = "open";
const listeners = new Set<Listener>();
const states = new Set<(open: boolean) => void>();
let source: EventSource | null = null;
let retry = 0;
let open = false;

function say(now: boolean): void {
  open = now;
  states.forEach((tell) => tell(now));
}

/**
 * Listens to what changes in the service. The browser itself asks for what it missed (Last-Event-ID), but not after a
 * connection that was refused, as by a proxy while the service starts again.
 */
export function connect(): void {
  if (source && source.readyState !== EventSource.CLOSED) return;
  window.clearTimeout(retry);
  source = new EventSource("/api/events");
  source.onopen = () => {
    say(true);
    listeners.forEach((tell) => tell({ kind: OPEN, study_id: null, text: "" }));
  };
  source.onmessage = (message: MessageEvent<string>) => {
    const event = JSON.parse(message.data) as LiveEvent;
    listeners.forEach((tell) => tell(event));
  };
  source.onerror = () => {
    say(false);
    // a refused connection is final for an EventSource
    if (source?.readyState === EventSource.CLOSED) retry = window.setTimeout(connect, 5000);
  };
}

export function disconnect(): void {
  window.clearTimeout(retry);
  source?.close();
  source = null;
  say(false);
}

/** Calls `listener` for each event until the function it returns is called. */
export function subscribe(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether the connection stands, now and whenever that changes. */
export function onConnection(tell: (open: boolean) => void): () => void {
  states.add(tell);
  tell(open);
  return () => states.delete(tell);
}
