// Who is shopping, what is in the cart, and what they did: kept by this browser, told to the shop.

import { toast } from "./dom.js";
import { send } from "./outbox.js";

const SHOPPER = "aisle.shopper";
const carts = new Map();
const listeners = new Set();
const session = crypto.randomUUID();
let shopper = stored();

function stored() {
  try {
    const kept = JSON.parse(localStorage.getItem(SHOPPER));
    return kept && typeof kept.user_id === "string" ? kept : null;
  } catch {
    return null;
  }
}

export const currentShopper = () => shopper;

export function choose(next) {
  shopper = next;
  localStorage.setItem(SHOPPER, JSON.stringify(next));
  tell("shopper");
}

export function guest() {
  return { user_id: `guest-${crypto.randomUUID().slice(0, 8)}`, name: "A new shopper", note: "Nobody has met them yet" };
}

export const shownName = (who) => who.name || `Shopper ${who.user_id}`;

export function initials(who) {
  const words = shownName(who).split(/\s+/).filter(Boolean);
  return (words[0][0] + (words.length > 1 ? words.at(-1).slice(0, 2) : "")).toUpperCase();
}

export function onChange(listener) {
  listeners.add(listener);
}

function tell(what) {
  for (const listener of listeners) listener(what);
}

export function cart() {
  if (!carts.has(shopper.user_id)) carts.set(shopper.user_id, new Map());
  return carts.get(shopper.user_id);
}

export function add(item, context = {}) {
  const line = cart().get(item.item_id);
  cart().set(item.item_id, { item, quantity: (line ? line.quantity : 0) + 1, context });
  tell("cart");
  return track([{ event_type: "cart", item_id: item.item_id, quantity: 1, price: item.price ?? undefined, ...context }]);
}

export function setQuantity(itemId, quantity) {
  if (quantity < 1) cart().delete(itemId);
  else cart().get(itemId).quantity = quantity;
  tell("cart");
}

// Resolves to what became of the order, as `send` says it; a refused one is put back into the cart.
export async function buy() {
  const ordered = new Map(cart());
  const bought = cart();
  const order = crypto.randomUUID();
  bought.clear();
  tell("cart");
  const outcome = await track([...ordered.values()].map((line, n) => ({
    event_id: `${order}-${n}`, event_type: "purchase", item_id: line.item.item_id,
    quantity: line.quantity, price: line.item.price ?? undefined, ...line.context,
  })));
  if (outcome.state === "refused") {
    for (const [id, line] of ordered) if (!bought.has(id)) bought.set(id, line);
    tell("cart");
  }
  return outcome;
}

// Tells the shop what the shopper did; lists know of it as soon as this is answered.
export async function track(events) {
  const who = shopper.user_id;
  const outcome = await send(events.map((event) =>
    ({ event_id: crypto.randomUUID(), user_id: who, session_id: session, source: "storefront", ...event })));
  if (outcome.state === "kept") {
    toast("The shop cannot be reached. What you did is kept here, and sent as soon as it can.");
    return outcome;
  }
  if (outcome.state === "refused") {
    toast(`The shop did not take this: ${outcome.reason}`);
    return outcome;
  }
  if (events.some((event) => ["cart", "purchase", "view"].includes(event.event_type))) tell("acted");
  return outcome;
}

let seen = [];
let sending = 0;

// Collects what was shown and tells it in one batch.
export function shown(event) {
  seen.push(event);
  clearTimeout(sending);
  sending = setTimeout(() => {
    const batch = seen;
    seen = [];
    track(batch.map((one) => ({ event_type: "impression", ...one })));
  }, 800);
}
