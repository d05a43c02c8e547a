// Choosing through whose eyes to look at the shop.

import { get } from "./api.js";
import { byId, h } from "./dom.js";
import { choose, currentShopper, guest, initials, shownName } from "./state.js";

const TINTS = 6;

const offered = () => get("/v1/shoppers?k=60").then((answer) => answer.shoppers);

export async function firstShopper() {
  const shoppers = await offered().catch(() => []);
  choose(shoppers[0] || guest());
}

export function showShopper() {
  const who = currentShopper();
  byId("who-name").textContent = shownName(who);
  byId("who-avatar").textContent = initials(who);
  byId("who-avatar").dataset.tint = tint(who);
}

const tint = (who) => [...who.user_id].reduce((sum, sign) => sum + sign.charCodeAt(0), 0) % TINTS;

export async function chooseShopper() {
  const dialog = byId("shoppers");
  const people = h("div", { class: "people" }, h("p", { class: "subtitle" }, "Looking who is here …"));
  const own = h("input", { id: "own-id", maxlength: 128, placeholder: "Customer number", required: true });
  const pick = (who) => {
    dialog.close();
    choose(who);
  };
  dialog.replaceChildren(
    h("div", { class: "sheet-head" }, h("h2", { id: "shoppers-title" }, "Who is shopping?"),
      h("button", { class: "close", type: "button", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    h("p", { class: "subtitle" }, "Each shopper sees a shop of their own, made from what they did before."),
    people,
    h("form", { class: "row", onsubmit: (event) => {
      event.preventDefault();
      if (own.value.trim()) pick({ user_id: own.value.trim() });
    } }, h("label", { class: "unseen", for: "own-id" }, "Customer number"), own,
    h("button", { class: "quiet", type: "submit" }, "Look up"),
    h("button", { class: "quiet", type: "button", onclick: () => pick(guest()) }, "Come in as a new shopper")));
  dialog.showModal();
  try {
    const shoppers = (await offered()).filter((who) => !who.user_id.startsWith("guest-"));
    people.replaceChildren(...shoppers.map((who) => person(who, pick)));
    if (!shoppers.length) people.replaceChildren(h("p", { class: "subtitle" }, "Nobody is listed here yet. Enter a customer number, or come in as a new shopper."));
  } catch (error) {
    people.replaceChildren(h("p", { class: "subtitle" }, `The list of shoppers is not to be had: ${error.message}`));
  }
}

function person(who, pick) {
  const here = who.user_id === currentShopper().user_id;
  return h("button", { class: "person", type: "button", "aria-pressed": here ? "true" : "false", onclick: () => pick(who) },
    h("span", { class: "avatar", "data-tint": tint(who), "aria-hidden": "true" }, initials(who)),
    h("span", {}, h("b", {}, shownName(who)), h("small", {}, who.note || `Customer ${who.user_id}`)));
}
