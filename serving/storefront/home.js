// The start page and the departments.

import { get, post } from "./api.js";
import { grid, into, loading, section, shelf } from "./cards.js";
import { h } from "./dom.js";
import { currentShopper, shownName } from "./state.js";

const SHOWN = 18;
const lastRanks = new Map();

const recommend = (body, signal) => post("/v1/recommendations", { user_id: currentShopper().user_id, ...body }, { signal });

// What moved since the shopper last saw the list: item id -> the badge that says so.
function changes(list) {
  const who = currentShopper().user_id;
  const before = lastRanks.get(who);
  lastRanks.set(who, new Map(list.items.map((item) => [item.item_id, item.rank])));
  const badges = new Map();
  if (!before) return badges;
  for (const item of list.items) {
    const rank = before.get(item.item_id);
    if (rank === undefined) badges.set(item.item_id, { kind: "new", text: "New for you" });
    else if (rank - item.rank >= 3) badges.set(item.item_id, { kind: "up", text: `↑ ${rank - item.rank}` });
  }
  return badges;
}

function mostFrequent(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) || 0) + 1);
  return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
}

const department = (item) => (item.category || "").split(" > ")[0];

export async function home(main, { signal }) {
  const who = currentShopper();
  const already = main.querySelector(".home");
  const draw = async () => {
    const list = await recommend({ surface: "home", k: SHOWN }, signal);
    const badges = changes(list);
    const personal = list.items.some((item) => item.source !== "popularity");
    const shelves = mostFrequent(list.items.map(department).filter(Boolean)).slice(0, 3)
      .map((name) => departmentShelf(name, signal));
    return h("div", { class: "home" },
      h("header", { class: "hello" },
        h("div", {}, h("h1", {}, personal ? "Your shop today" : "Welcome to the shop"),
          h("p", {}, h("b", {}, shownName(who)), who.note ? ` · ${who.note}` : ""))),
      section(personal ? "For you" : "What everybody likes",
        badges.size ? `Your list follows what you do: ${badges.size} ${badges.size === 1 ? "product" : "products"} moved up`
          : personal ? "Chosen from what you buy and look at, up to this minute" : "We do not know you yet; look around and this page becomes yours",
        grid(list, badges)),
      shelves);
  };
  if (already) {
    // After an action: the list changes in place, without a flash of grey.
    try {
      const next = await draw();
      if (!signal.aborted) main.replaceChildren(next);
    } catch (error) {
      if (error.name !== "AbortError") console.warn(error.message);
    }
    return;
  }
  await into(main, h("div", { class: "section" }, loading(12)), draw);
}

function departmentShelf(name, signal) {
  const place = h("div", {});
  into(place, loading(6, "shelf"), async () => {
    const list = await recommend({ surface: "category", category: name, k: 16 }, signal);
    return list.items.length ? shelf(list) : null;
  });
  return section(`More from ${name}`, null, place,
    h("a", { class: "more", href: `#/category?path=${encodeURIComponent(name)}` }, "See all"));
}

export async function category(main, { wishes, signal }) {
  const path = wishes.get("path") || "";
  await into(main, h("div", { class: "section" }, loading(12)), async () => {
    const [list, tree] = await Promise.all([
      recommend({ surface: "category", category: path, k: 60 }, signal),
      get("/v1/categories", { signal }),
    ]);
    const [top, ...below] = path.split(" > ");
    const branch = tree.categories.find((one) => one.name === top);
    const link = (text, target, current) => h("a", { class: "chip", href: `#/category?path=${encodeURIComponent(target)}`, "aria-current": current ? "page" : null }, text);
    return [
      h("nav", { class: "crumbs", "aria-label": "Where you are" }, h("a", { href: "#/" }, "Shop"),
        below.length ? h("a", { href: `#/category?path=${encodeURIComponent(top)}` }, top) : null, h("span", {}, below.at(-1) || top)),
      h("header", { class: "hello" }, h("h1", {}, below.at(-1) || top)),
      branch ? h("nav", { class: "chips", "aria-label": `Categories of ${top}` }, link("All", top, !below.length),
        branch.children.slice(0, 18).map((one) => link(one.name, one.path, one.path === path))) : null,
      section("Chosen for you here", null, grid(list)),
    ];
  });
}
