// Searching: suggestions while typing, and the page of results with its facets.

import { post, price } from "./api.js";
import { tile } from "./art.js";
import { grid, into, loading, notice } from "./cards.js";
import { byId, h } from "./dom.js";
import { currentShopper, track } from "./state.js";

const PAGE = 24;
const search = (body, signal) => post("/v1/search", { user_id: currentShopper().user_id, ...body }, { signal });
const address = (wishes) => `#/search?${new URLSearchParams(wishes)}`;

export function wireSearch() {
  const field = byId("query");
  const box = byId("suggestions");
  let timer = 0;
  let asking = new AbortController();
  let chosen = -1;

  const close = () => {
    box.hidden = true;
    chosen = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const point = (step) => {
    const options = [...box.querySelectorAll("[role=option]")];
    if (box.hidden || !options.length) return;
    chosen = (chosen + step + options.length) % options.length;
    options.forEach((option, n) => option.setAttribute("aria-selected", n === chosen ? "true" : "false"));
    field.setAttribute("aria-activedescendant", options[chosen].id);
  };
  const suggest = async () => {
    const words = field.value.trim();
    asking.abort();
    asking = new AbortController();
    if (words.length < 2) return close();
    try {
      const answer = await search({ search_query: words, k: 5 }, asking.signal);
      box.replaceChildren(...suggestions(words, answer));
      box.hidden = !box.children.length;
      field.setAttribute("aria-expanded", String(!box.hidden));
      chosen = -1;
    } catch {
      close();
    }
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(suggest, 120);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      point(event.key === "ArrowDown" ? 1 : -1);
    }
  });
  field.addEventListener("blur", () => setTimeout(close, 150));
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    asking.abort();
    const option = chosen >= 0 ? box.querySelectorAll("[role=option]")[chosen] : null;
    close();
    if (option) option.click();
    else location.hash = address({ q: field.value.trim() });
  });
}

function suggestions(words, answer) {
  const option = (n, href, ...content) =>
    h("a", { role: "option", id: `suggestion-${n}`, href, tabindex: "-1", "aria-selected": "false" }, ...content);
  if (answer.match === "nothing") return [];
  const facets = (answer.facets.category || []).slice(0, 3);
  const rows = [];
  if (answer.did_you_mean) {
    words = answer.did_you_mean;
    rows.push(option("mean", address({ q: words }), h("span", { class: "hint" }, "Did you mean"), h("span", {}, h("b", {}, words))));
  }
  facets.forEach((facet, n) => rows.push(option(`in-${n}`, address({ q: words, category: facet.value }),
    h("span", {}, h("b", {}, words), " in ", facet.value.split(" > ").at(-1)), h("span", { class: "hint" }, facet.count))));
  answer.items.forEach((item, n) => rows.push(option(`item-${n}`, `#/item/${encodeURIComponent(item.item_id)}`,
    tile(item), h("span", {}, item.title || item.item_id), h("span", { class: "hint" }, price(item.price) || ""))));
  return rows;
}

const filtersOf = (wishes) => {
  const filters = {};
  if (wishes.get("category")) filters.category = wishes.get("category");
  if (wishes.get("brand")) filters.brands = wishes.getAll("brand");
  for (const [name, field] of [["from", "min_price"], ["to", "max_price"]]) {
    if (wishes.get(name) && Number.isFinite(Number(wishes.get(name)))) filters[field] = Number(wishes.get(name));
  }
  return filters;
};

export async function results(main, { wishes, signal }) {
  const words = wishes.get("q") || "";
  byId("query").value = words;
  if (words) track([{ event_type: "search", search_query: words }]);
  await into(main, h("div", { class: "section" }, loading(12)), async () => {
    const answer = await search({ search_query: words, k: PAGE, filters: filtersOf(wishes) }, signal);
    const list = { ...answer, surface: "search" };
    const place = h("div", {}, grid(list));
    if (answer.total > answer.items.length) place.append(more(words, wishes, answer, place));
    return h("div", { class: "results" }, sidebar(wishes, answer.facets),
      h("div", {},
        h("header", { class: "hello" }, h("h1", {}, words ? `“${words}”` : "All products"),
          h("p", { role: "status" }, answer.match === "nothing" ? "No product is called so"
            : `${answer.total.toLocaleString("en-US")} ${answer.total === 1 ? "product" : "products"}, ranked for you`)),
        answer.message ? h("p", { class: "message" }, answer.message) : null,
        active(wishes),
        answer.items.length ? place : notice("Nothing found", "Try fewer or other words, or walk through the departments above.")));
  });
}

function more(words, wishes, first, place) {
  let offset = first.items.length;
  const button = h("button", { class: "quiet wide", type: "button", onclick: async () => {
    button.disabled = true;
    const answer = await search({ search_query: words, k: PAGE, offset, filters: filtersOf(wishes) }).catch(() => null);
    button.disabled = false;
    if (!answer) return;
    offset += answer.items.length;
    button.before(grid({ ...answer, surface: "search" }));
    if (offset >= answer.total || !answer.items.length) button.remove();
  } }, "Show more");
  return button;
}

// `wishes` with one of them changed; every change starts from the first page.
function changed(wishes, change) {
  const next = new URLSearchParams(wishes);
  change(next);
  return `#/search?${next}`;
}

function active(wishes) {
  const chips = [];
  const chip = (text, name, value) => chips.push(h("a", { class: "chip on", href: changed(wishes, (next) => next.delete(name, value)), "aria-label": `Remove filter ${text}` }, text, " ×"));
  if (wishes.get("category")) chip(wishes.get("category").split(" > ").at(-1), "category");
  for (const brand of wishes.getAll("brand")) chip(brand, "brand", brand);
  if (wishes.get("from") || wishes.get("to")) {
    chips.push(h("a", { class: "chip on", href: changed(wishes, (next) => { next.delete("from"); next.delete("to"); }) }, rangeText({ from: wishes.get("from"), to: wishes.get("to") }), " ×"));
  }
  return chips.length ? h("div", { class: "chips" }, chips) : null;
}

function rangeText({ from, to }) {
  const amount = (value) => price(Number(value));
  if (!from || Number(from) === 0) return `up to ${amount(to)}`;
  return to ? `${amount(from)} – ${amount(to)}` : `from ${amount(from)}`;
}

function sidebar(wishes, facets) {
  const group = (title, rows) => (rows.length ? h("section", {}, h("h2", {}, title), h("ul", {}, rows)) : null);
  const link = (text, count, href, on) => h("li", {}, h("a", { href, class: on ? "on" : null }, h("span", {}, text), h("span", { class: "hint" }, count)));
  const toggled = (next, name, value) => (next.getAll(name).includes(value) ? next.delete(name, value) : next.append(name, value));
  return h("aside", { class: "facets", "aria-label": "Narrow down" },
    group("Category", (facets.category || []).slice(0, 8).map((one) => link(one.value.split(" > ").at(-1), one.count,
      changed(wishes, (next) => next.set("category", one.value)), wishes.get("category") === one.value))),
    group("Brand", (facets.brand || []).slice(0, 8).map((one) => link(one.value, one.count,
      changed(wishes, (next) => toggled(next, "brand", one.value)), wishes.getAll("brand").includes(one.value)))),
    group("Price", (facets.price || []).map((one) => link(rangeText(one), one.count, changed(wishes, (next) => {
      next.delete("from");
      next.delete("to");
      if (one.from) next.set("from", one.from);
      if (one.to !== null) next.set("to", one.to);
    }), false))));
}
