// The storefront: which page the address names, and the parts around it.

import { get, shop } from "./api.js";
import { emblem } from "./art.js";
import { openCart, showCartButton } from "./basket.js";
import { byId, closeOnBackdrop, h } from "./dom.js";
import { category, home } from "./home.js";
import { chooseShopper, firstShopper, showShopper } from "./people.js";
import { product } from "./product.js";
import { results, wireSearch } from "./search.js";
import { currentShopper, onChange } from "./state.js";

const PAGES = { "": home, item: product, search: results, category };
let leaving = new AbortController();

// `#/search?q=tea` as ["search", [], {q: "tea"}].
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return { name, rest: rest.map(decoded), wishes: new URLSearchParams(query || "") };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function show({ keepScroll = false } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const { name, rest, wishes } = place();
  const page = PAGES[name] || home;
  const main = byId("main");
  document.title = shop.shopName;
  if (!keepScroll) {
    scrollTo(0, 0);
    if (document.activeElement !== byId("query")) main.focus({ preventScroll: true });
  }
  if (name !== "search" && document.activeElement !== byId("query")) byId("query").value = "";
  markDepartment(name === "category" ? wishes.get("path") || "" : "");
  await page(main, { rest, wishes, signal: leaving.signal });
}

function markDepartment(path) {
  for (const link of byId("departments").children) {
    if (path && path.split(" > ")[0] === link.dataset.path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function showDepartments() {
  const { categories } = await get("/v1/categories");
  byId("departments").replaceChildren(...categories.slice(0, 14).map((one) =>
    h("a", { href: `#/category?path=${encodeURIComponent(one.path)}`, "data-path": one.path }, emblem(one.name), one.name)));
  markDepartment(new URLSearchParams(location.hash.split("?")[1] || "").get("path") || "");
}

async function showRelease() {
  const { release, degraded, refusal } = await get("/v1/release");
  const day = (text) => new Date(text).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const text = release
    ? `Release ${release.version} · ${release.items.toLocaleString("en-US")} products · learned from shopping up to ${day(release.as_of)}`
    : "No release is served yet";
  const without = degraded.length ? ` · without ${degraded.join(", ").replaceAll("_", " ")}` : "";
  byId("release").replaceChildren(h("span", { class: degraded.length ? "dot amber" : "dot" }), text + without,
    refusal ? h("span", { class: "refusal" }, `Version ${refusal.version} is refused: ${refusal.reason}`) : "");
  return release;
}

async function keepUp() {
  let shown = null;
  for (;;) {
    try {
      const release = await showRelease();
      if (release && release.version !== shown) {
        await showDepartments();
        if (shown !== null || byId("main").querySelector(".notice")) await show({ keepScroll: true });
        shown = release.version;
      }
    } catch {
      byId("release").replaceChildren(h("span", { class: "dot red" }), "The shop cannot be reached");
    }
    await new Promise((resolve) => setTimeout(resolve, shown === null ? 3000 : 15000));
  }
}

async function start() {
  if (currentShopper() === null) await firstShopper();
  showShopper();
  showCartButton();
  wireSearch();
  byId("who").addEventListener("click", chooseShopper);
  byId("cart-button").addEventListener("click", openCart);
  for (const id of ["cart", "shoppers"]) closeOnBackdrop(byId(id));
  addEventListener("hashchange", () => show());
  onChange((what) => {
    if (what === "shopper") {
      showShopper();
      if (place().name === "") show();
      else location.hash = "#/";
    }
    if (what === "cart" || what === "shopper") showCartButton();
    if (what === "acted" && place().name === "") show({ keepScroll: true });
  });
  await show();
  await keepUp();
}

start();
