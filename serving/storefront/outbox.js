// What shoppers did and the shop has not acknowledged yet: kept by this browser, and sent again until it is.
// Every event bears its own id, so that the shop keeps it once however often it arrives.

import { post } from "./api.js";

const KEPT = "aisle.outbox";
const MOST_TOGETHER = 200;
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;

let waiting = read();
let wait = FIRST_WAIT_MS;
let sending = null;
let timer = 0;

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    return Array.isArray(kept) ? kept.filter((event) => event && typeof event.event_id === "string") : [];
  } catch {
    return [];
  }
}

function keep() {
  try {
    if (waiting.length) localStorage.setItem(KEPT, JSON.stringify(waiting));
    else localStorage.removeItem(KEPT);
  } catch {
    // A full or closed store: the events stay in this page's memory alone.
  }
}

export const unsent = () => waiting.length;

// Resolves to "sent", "kept" (the shop was not reached; it is sent again later) or "refused", with the reason.
export async function send(events) {
  const ids = new Set(events.map((event) => event.event_id));
  waiting.push(...events);
  keep();
  const refusals = await flush();
  const reasons = refusals.filter(([id]) => ids.has(id)).map(([, reason]) => reason);
  if (reasons.length) return { state: "refused", reason: reasons[0] };
  return { state: waiting.some((event) => ids.has(event.event_id)) ? "kept" : "sent" };
}

// Sends all that waits; resolves to the ids that the shop refused for good, each with its reason.
export async function flush() {
  while (sending) await sending;
  sending = sendAll();
  try {
    return await sending;
  } finally {
    sending = null;
  }
}

async function sendAll() {
  const refusals = [];
  clearTimeout(timer);
  while (waiting.length) {
    const batch = waiting.slice(0, MOST_TOGETHER);
    try {
      const answer = await post("/v1/events", { events: batch }, { keepalive: true });
      refusals.push(...refused(answer, batch));
    } catch (error) {
      if (error.status === undefined || error.status === 0 || error.status === 429 || error.status >= 500) {
        timer = setTimeout(flush, wait);
        wait = Math.min(2 * wait, LONGEST_WAIT_MS);
        return refusals;
      }
      // The shop understood and will never take these: sending them again would hold up all the others.
      refusals.push(...(error.content.events ? refused(error.content, batch) : batch.map((event) => [event.event_id, error.message])));
    }
    wait = FIRST_WAIT_MS;
    const done = new Set(batch.map((event) => event.event_id));
    waiting = waiting.filter((event) => !done.has(event.event_id));
    keep();
  }
  return refusals;
}

function refused(answer, batch) {
  return answer.events.flatMap((verdict, place) =>
    verdict.status === "rejected" ? [[batch[place].event_id, verdict.reasons.join("; ")]] : []);
}

addEventListener("online", () => { flush(); });
if (waiting.length) timer = setTimeout(flush, 0);
