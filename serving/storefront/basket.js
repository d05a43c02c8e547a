// The cart, what goes with it, and buying it.

import { post, price } from "./api.js";
import { tile } from "./art.js";
import { into, loading, reasonLine } from "./cards.js";
import { byId, h, toast } from "./dom.js";
import { add, buy, cart, currentShopper, setQuantity } from "./state.js";

const SAID = {
  sent: "Thank you! Your shop has learned from this order.",
  kept: "Your order is not sent yet: the shop cannot be reached. It is kept here, and sent as soon as it can.",
  refused: "The shop did not take this order. Nothing is lost: it is back in your cart.",
};

const total = () => [...cart().values()].reduce((sum, line) => sum + (line.item.price || 0) * line.quantity, 0);
const pieces = () => [...cart().values()].reduce((sum, line) => sum + line.quantity, 0);

export function showCartButton() {
  const count = pieces();
  byId("cart-total").textContent = count ? price(total()) : "Cart";
  byId("cart-count").textContent = count;
  byId("cart-count").hidden = count === 0;
  byId("cart-button").setAttribute("aria-label", count ? `Cart: ${count} products, ${price(total())}` : "Cart, empty");
}

export function openCart() {
  const dialog = byId("cart");
  draw();
  if (!dialog.open) dialog.showModal();
}

function draw() {
  const dialog = byId("cart");
  const lines = [...cart().values()];
  const head = h("div", { class: "sheet-head" }, h("h2", { id: "cart-title" }, "Your cart"),
    h("button", { class: "close", type: "button", "aria-label": "Close the cart", onclick: () => dialog.close() }, "×"));
  if (!lines.length) {
    dialog.replaceChildren(head, h("div", { class: "empty" }, h("p", {}, "Nothing here yet."),
      h("p", { class: "subtitle" }, "Add a product, and we show what goes with it.")));
    return;
  }
  const complements = h("div", { class: "complements" });
  dialog.replaceChildren(head,
    h("ul", { class: "lines" }, lines.map(row)),
    h("section", { class: "with" }, h("h3", {}, "Goes well with your cart"), complements),
    h("div", { class: "pay" },
      h("p", {}, h("span", {}, "Together"), h("b", {}, price(total()))),
      h("button", { class: "primary big", type: "button", onclick: async () => {
        dialog.close();
        toast(SAID[(await buy()).state]);
      } }, "Buy now")));
  into(complements, loading(3, "lines"), () => goesWith(lines.map((line) => line.item.item_id)));
}

function row({ item, quantity }) {
  const title = item.title || item.item_id;
  const change = (by) => {
    setQuantity(item.item_id, quantity + by);
    draw();
  };
  return h("li", { class: "line" }, tile(item),
    h("div", {}, h("a", { href: `#/item/${encodeURIComponent(item.item_id)}`, onclick: () => byId("cart").close() }, title),
      h("p", { class: "each" }, price(item.price) || "Price in store")),
    h("div", { class: "stepper" },
      h("button", { type: "button", "aria-label": `One ${title} less`, onclick: () => change(-1) }, "−"),
      h("span", { "aria-label": "Quantity" }, quantity),
      h("button", { type: "button", "aria-label": `One ${title} more`, onclick: () => change(1) }, "+")));
}

async function goesWith(ids) {
  const list = await post("/v1/recommendations", { user_id: currentShopper().user_id, surface: "cart", cart: ids.slice(0, 200), k: 4 });
  if (!list.items.length) return h("p", { class: "subtitle" }, "Nothing comes to mind.");
  return h("ul", { class: "lines" }, list.items.map((item) => {
    const title = item.title || item.item_id;
    return h("li", { class: "line", "data-item-id": item.item_id }, tile(item),
      h("div", {}, h("a", { href: `#/item/${encodeURIComponent(item.item_id)}`, onclick: () => byId("cart").close() }, title), reasonLine(item)),
      h("button", { class: "quiet", type: "button", "aria-label": `Add ${title} to the cart`, onclick: () => {
        add(item, { request_id: list.request_id, position: item.rank, surface: "cart" });
        draw();
      } }, price(item.price) ? `+ ${price(item.price)}` : "Add"));
  }));
}
