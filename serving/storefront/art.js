// Drawn tiles in place of photographs: one picture for each kind of product, varied by the product's id.

import { s } from "./dom.js";
import { COLOURS, PICTURES, WORDS } from "./pictures.js";

const known = new Map();

export function pictureOf(text) {
  if (!known.has(text)) {
    const parts = text.split(" > ").reverse();
    const picture = [...parts, text].map((part) => WORDS.find(([name, words]) => name !== "box" && words.test(part))).find(Boolean);
    known.set(text, picture ? picture[0] : "box");
  }
  return known.get(text);
}

function number(text) {
  let value = 2166136261;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  return value >>> 0;
}

const GREEN = "#6aa84f";
const FIXED = { w: "#ffffff", g: GREEN, y: "#f5c542", o: "#e4694a" };

function shape([tag, attributes, fill], [, , main, dark, light]) {
  const shade = { m: main, d: dark, l: light, ...FIXED }[fill];
  if (shade) return s(tag, { ...attributes, fill: shade });
  const stroke = { s: dark, h: "#ffffffb3", h2: light, g2: GREEN }[fill];
  return s(tag, { ...attributes, fill: "none", stroke, "stroke-width": fill === "g2" ? 5 : 4, "stroke-linecap": "round", "stroke-linejoin": "round" });
}

function blob(seed, colour) {
  const points = Array.from({ length: 6 }, (_, n) => {
    const angle = (n / 6) * 2 * Math.PI + (seed % 60) / 57;
    const reach = 54 + ((seed >>> (n * 4)) & 15) * 1.5;
    return [80 + reach * Math.cos(angle), 80 + reach * Math.sin(angle)];
  });
  const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const start = middle(points[5], points[0]);
  const curve = points.map((point, n) => `Q${point.map((v) => v.toFixed(1))} ${middle(point, points[(n + 1) % 6]).map((v) => v.toFixed(1))}`);
  return s("path", { d: `M${start.map((v) => v.toFixed(1))}${curve.join("")}Z`, fill: colour });
}

// The picture of one product.
export function tile(item) {
  const [colour, shapes] = PICTURES[pictureOf(`${item.category || ""} > ${item.title || ""}`)];
  const colours = COLOURS[colour];
  const seed = number(item.item_id);
  const turn = ((seed >>> 8) % 13) - 6;
  return s("svg", { class: "tile", viewBox: "0 0 160 160", preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true" },
    s("rect", { width: 160, height: 160, fill: colours[0] }), blob(seed, colours[1]),
    s("ellipse", { cx: 80, cy: 128, rx: 34, ry: 5, fill: colours[3], opacity: 0.13 }),
    s("g", { transform: `translate(32 32) rotate(${turn} 48 48)` }, shapes.map((one) => shape(one, colours))));
}

// The picture of a department, for the row below the header.
export function emblem(name) {
  const [colour, shapes] = PICTURES[pictureOf(name)];
  return s("svg", { class: "emblem", viewBox: "0 0 96 96", "aria-hidden": "true" }, shapes.map((one) => shape(one, COLOURS[colour])));
}
