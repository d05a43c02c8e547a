// Calls to the serving process. Errors carry what the process said: what was expected, received, and to do.

import { byId, h } from "./dom.js";

const KEY = "aisle.key";
export const shop = { ...document.body.dataset };

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || "The shop did not answer.");
    this.status = status;
    this.content = problem;
    this.title = problem.title || "Something went wrong";
    this.kind = (problem.type || "").split(":").pop();
  }
}

export async function call(method, path, body, options = {}) {
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { title: "The shop cannot be reached", detail: "Look at your connection, then try again." });
  }
  if (answer.status === 401) {
    await askForKey();
    return call(method, path, body, options);
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ApiError(answer.status, content);
  return content;
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body, options) => call("POST", path, body, options);

let asking = null;

function askForKey() {
  asking ??= new Promise((resolve) => {
    const dialog = byId("key");
    const field = h("input", { type: "password", id: "key-field", autocomplete: "off", required: true });
    dialog.replaceChildren(
      h("form", { method: "dialog", class: "stack", onsubmit: () => sessionStorage.setItem(KEY, field.value.trim()) },
        h("h2", { id: "key-title" }, "API key"),
        h("p", {}, "This shop is protected. Enter the key of its serving process; it stays in this tab."),
        h("label", { for: "key-field", class: "unseen" }, "API key"), field,
        h("button", { class: "primary", type: "submit" }, "Continue")));
    dialog.addEventListener("close", () => { asking = null; resolve(); }, { once: true });
    dialog.showModal();
  });
  return asking;
}

const money = new Intl.NumberFormat("en-US", { style: "currency", currency: shop.currency });
export const price = (value) => (value === null || value === undefined ? null : money.format(value));
