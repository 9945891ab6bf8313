// Lines between the places that are the same on two photos; they follow zoom and move.
import { call } from "./api.js";
import { counted } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

export class Lines {
  constructor(svg, words, zoom, first, second) {
    Object.assign(this, { svg, words, zoom, first, second });
    this.on = false;
    this.found = [];
    this.known = new Map();
  }

  toggle() {
    this.on = !this.on;
    this.load();
    return this.on;
  }

  // Which two photos are looked at; either may be missing.
  pair(one, other) {
    const key = one && other ? `first=${one.id}&second=${other.id}` : "";
    if (key === this.key) return;
    this.key = key;
    this.load();
  }

  async load() {
    this.found = [];
    this.words.textContent = "";
    this.draw();
    if (!this.on || !this.key) return;
    const key = this.key;
    this.words.textContent = "Comparing …";
    try {
      if (!this.known.has(key)) this.known.set(key, await call(`/api/lines?${key}`));
      if (key !== this.key || !this.on) return;
      this.found = this.known.get(key).lines;
      this.words.textContent = this.found.length ? `${counted(this.found.length, "place")} fit` : "No places fit";
      this.draw();
    } catch (error) {
      if (key === this.key) this.words.textContent = error.message;
    }
  }

  draw() {
    this.svg.replaceChildren();
    if (!this.on || !this.found.length) return;
    const home = this.svg.getBoundingClientRect();
    const offset = (view) => {
      const box = view.getBoundingClientRect();
      return { x: box.left - home.left, y: box.top - home.top };
    };
    const inside = (view, { x, y }) => x >= 0 && y >= 0 && x <= view.clientWidth && y <= view.clientHeight;
    const [left, right] = [offset(this.first), offset(this.second)];
    for (const [ax, ay, bx, by] of this.found) {
      const a = this.zoom.place(this.first, ax, ay);
      const b = this.zoom.place(this.second, bx, by);
      if (!inside(this.first, a) || !inside(this.second, b)) continue;
      const ends = { x1: left.x + a.x, y1: left.y + a.y, x2: right.x + b.x, y2: right.y + b.y };
      if (!Object.values(ends).every(Number.isFinite)) continue;
      for (const kind of ["edge", ""]) this.add("line", { ...ends, class: kind });
      this.add("circle", { cx: ends.x1, cy: ends.y1, r: 3 });
      this.add("circle", { cx: ends.x2, cy: ends.y2, r: 3 });
    }
  }

  add(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    this.svg.append(element);
  }
}
