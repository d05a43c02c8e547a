// One product: what it is, what is like it, and what goes with it.

import { get, post, shop } from "./api.js";
import { tile } from "./art.js";
import { into, loading, priceTag, section, shelf } from "./cards.js";
import { openCart } from "./basket.js";
import { h } from "./dom.js";
import { add, currentShopper, track } from "./state.js";

const related = (itemId, relation, signal) =>
  post("/v1/recommendations", { user_id: currentShopper().user_id, surface: "item", item_id: itemId, relation, k: 16 }, { signal });

export async function product(main, { rest, signal }) {
  const itemId = rest[0] || "";
  await into(main, h("div", { class: "section" }, loading(1)), async () => {
    const { item } = await get(`/v1/items/${encodeURIComponent(itemId)}`, { signal });
    document.title = `${item.title || item.item_id} · ${shop.shopName}`;
    track([{ event_type: "view", item_id: item.item_id, surface: "item" }]);
    return [crumbs(item), panel(item),
      related_shelf("Often bought together", "What others put into the same basket", item, "bought_together", signal),
      related_shelf("Similar products", "In case this one is not quite it", item, "similar", signal)];
  });
}

function crumbs(item) {
  const levels = (item.category || "").split(" > ").filter(Boolean);
  return h("nav", { class: "crumbs", "aria-label": "Where you are" }, h("a", { href: "#/" }, "Shop"),
    levels.map((level, n) => h("a", { href: `#/category?path=${encodeURIComponent(levels.slice(0, n + 1).join(" > "))}` }, level)));
}

function panel(item) {
  const facts = item.attributes.map((one) => one.split(/:(.*)/s)).filter(([name, value]) => name && value && name !== "manufacturer");
  return h("section", { class: "product" },
    h("div", { class: "product-art" }, tile(item)),
    h("div", { class: "product-text" },
      h("p", { class: "maker" }, item.brand || ""),
      h("h1", {}, item.title || item.item_id),
      item.description && item.description !== item.title ? h("p", { class: "description" }, item.description) : null,
      priceTag(item.price, true),
      h("p", { class: item.available ? "stock" : "stock out" }, item.available ? "In stock" : "Not available now"),
      h("div", { class: "row" },
        h("button", { class: "primary big", type: "button", disabled: !item.available, onclick: () => {
          add(item, { surface: "item" });
          openCart();
        } }, "Add to cart")),
      h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, value)]),
        h("dt", {}, "Product number"), h("dd", {}, item.item_id))));
}

function related_shelf(title, subtitle, item, relation, signal) {
  const place = h("div", {});
  const whole = section(title, subtitle, place);
  into(place, loading(6, "shelf"), async () => {
    const list = await related(item.item_id, relation, signal);
    if (!list.items.length) whole.remove();
    return shelf(list);
  });
  return whole;
}
