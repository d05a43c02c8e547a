// Product cards, shelves, and what stands in their place while loading, when empty and when something failed.

import { price } from "./api.js";
import { tile } from "./art.js";
import { h, icon, toast } from "./dom.js";
import { add, shown } from "./state.js";

const PLUS = "M12 5v14M5 12h14";
const REASON_ICONS = {
  buy_often: "M4 12a8 8 0 0 1 13.7-5.6M20 4v4h-4M20 12a8 8 0 0 1-13.7 5.6M4 20v-4h4",
  bought_with: "M8 7h8M8 12h8M8 17h5M4 7h.01M4 12h.01M4 17h.01",
  similar: "M4 8h9v9H4zM11 8V5h9v9h-3",
  popular: "m4 16 5-5 4 4 7-8M15 7h5v5",
  looked_at: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5",
  for_you: "M12 20s-7.5-4.6-7.5-10A4.3 4.3 0 0 1 12 7.3 4.3 4.3 0 0 1 19.5 10c0 5.4-7.5 10-7.5 10z",
  matches: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zm5-1.5 5 5",
};
const SAME_ICON = {
  buy_rhythm: "buy_often", bought_today: "buy_often", bought_yesterday: "buy_often", bought_before: "buy_often",
  because_bought: "similar", because_carted: "similar", because_looked: "looked_at", in_cart: "bought_with",
  carted_before: "bought_with", looked_at_before: "looked_at", rated: "looked_at", because_liked: "similar",
  popular_in: "popular", popular_this_week: "popular", for_category: "for_you",
};

export function reasonLine(item) {
  if (!item.reason) return null;
  const path = REASON_ICONS[item.reason_code] || REASON_ICONS[SAME_ICON[item.reason_code]] || REASON_ICONS.for_you;
  return h("p", { class: "reason" }, icon(path), h("span", {}, item.reason));
}

export function priceTag(value, large = false) {
  const text = price(value);
  if (text === null) return h("p", { class: "price unknown" }, "Price in store");
  const [whole, cents] = text.split(/(?=\.\d\d$)/);
  return h("p", { class: large ? "price large" : "price" }, whole, cents ? h("span", { class: "cents" }, cents) : null);
}

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watcher.unobserve(entry.target);
    shown(entry.target.shownAs);
  }
}, { threshold: 0.6 });

export function card(item, list, badge) {
  const context = { request_id: list.request_id, position: item.rank, surface: list.surface };
  const title = item.title || item.item_id;
  const element = h("article", { class: "card", "data-item-id": item.item_id },
    h("a", { class: "card-link", href: `#/item/${encodeURIComponent(item.item_id)}`, "aria-label": title },
      tile(item), badge ? h("span", { class: `badge ${badge.kind}` }, badge.text) : null),
    h("div", { class: "card-text" },
      h("p", { class: "maker" }, item.brand || "\u00a0"),
      h("h3", {}, h("a", { href: `#/item/${encodeURIComponent(item.item_id)}`, tabindex: "-1" }, title)),
      reasonLine(item),
      h("div", { class: "buy" }, priceTag(item.price),
        h("button", { class: "add", type: "button", "aria-label": `Add ${title} to the cart`, onclick: (event) => {
          event.currentTarget.classList.add("done");
          add(item, context);
          toast(`${title} is in your cart`);
        } }, icon(PLUS)))));
  element.shownAs = { item_id: item.item_id, ...context };
  watcher.observe(element);
  return element;
}

export const grid = (list, badges = new Map()) =>
  h("div", { class: "grid" }, list.items.map((item) => card(item, list, badges.get(item.item_id))));

export const shelf = (list) =>
  h("div", { class: "shelf", tabindex: "0", role: "group", "aria-label": "Products, scroll sideways" },
    list.items.map((item) => card(item, list)));

export function section(title, subtitle, content, action) {
  return h("section", { class: "section" },
    h("div", { class: "section-head" },
      h("div", {}, h("h2", {}, title), subtitle ? h("p", { class: "subtitle" }, subtitle) : null), action || null),
    content);
}

export function loading(count, kind = "grid") {
  return h("div", { class: `${kind} loading`, "aria-busy": "true", "aria-label": "Loading products" },
    Array.from({ length: count }, () => h("div", { class: "card ghost", "aria-hidden": "true" },
      h("div", { class: "tile" }), h("div", { class: "card-text" }, h("i", {}), h("i", {}), h("i", {})))));
}

export function notice(title, text, action) {
  return h("div", { class: "notice" }, h("h2", {}, title), text ? h("p", {}, text) : null, action || null);
}

export function failure(error, retry) {
  if (error.kind === "unknown-item") {
    return notice("This product is not here", "It may have left the shop. Search for it, or look at what is here for you.",
      h("a", { class: "primary", href: "#/" }, "To the shop"));
  }
  const waiting = error.kind === "no-release";
  return notice(waiting ? "The shelves are being filled" : error.title || "Something went wrong", error.message,
    h("button", { class: "primary", type: "button", onclick: retry }, waiting ? "Look again" : "Try again"));
}

// Fills `place` with what `load` brings; says so while it takes long, and what to do when it fails.
export async function into(place, ghosts, load) {
  place.replaceChildren(ghosts);
  try {
    place.replaceChildren(...[await load()].flat().filter(Boolean));
  } catch (error) {
    if (error.name !== "AbortError") place.replaceChildren(failure(error, () => into(place, ghosts, load)));
  }
  return place;
}
