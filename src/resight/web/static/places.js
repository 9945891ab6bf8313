// Where an individual was seen: a map without a map. Nothing is loaded from a network, so there are
// no coasts; a net of degrees, a scale and the catalogue's other places say where one is.
// Mercator's projection: shapes are true, and the scale is that of the middle of the view.
import { make } from "./dom.js";
import { svg } from "./timeline.js";

const RADIUS = 6_371_008.8; // metres, the Earth's mean
const RAD = Math.PI / 180;
const HIGHEST = 85; // degrees; Mercator's poles are infinitely far
const CLOSEST = 0.5; // metres for a pixel
const STEPS = [60, 30, 20, 10, 5, 2, 1, 1 / 2, 1 / 3, 1 / 6, 1 / 12, 1 / 30, 1 / 60, 1 / 120, 1 / 360, 1 / 720, 1 / 1800, 1 / 3600];

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
export const northing = (latitude) => Math.log(Math.tan(Math.PI / 4 + clamp(latitude, -HIGHEST, HIGHEST) * RAD / 2)) / RAD;
export const latitudeAt = (y) => (2 * Math.atan(Math.exp(y * RAD)) - Math.PI / 2) / RAD;

// Longitudes without a jump at the date line: all within the shortest arc that holds them.
export function unwrapped(longitudes) {
  const sorted = [...longitudes].sort((a, b) => a - b);
  let start = sorted[0];
  let widest = start + 360 - sorted.at(-1);
  for (let i = 1; i < sorted.length; i += 1) {
    if (sorted[i] - sorted[i - 1] > widest) [widest, start] = [sorted[i] - sorted[i - 1], sorted[i]];
  }
  return longitudes.map((one) => (one < start ? one + 360 : one));
}

export function degrees(value, letters, step) {
  const sign = value < 0 ? letters[1] : letters[0];
  const seconds = Math.round(Math.abs(value) * 3600);
  const [d, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (number) => String(number).padStart(2, "0");
  const words = step >= 1 ? `${d}°` : step >= 1 / 60 ? `${d}° ${two(m)}′` : `${d}° ${two(m)}′ ${two(s)}″`;
  return seconds ? `${words} ${sign}` : words;
}

// A round length that is at most so many metres: 1, 2 or 5 of something.
export function round(metres) {
  const ten = 10 ** Math.floor(Math.log10(metres));
  const length = [5, 2, 1].find((one) => one * ten <= metres) * ten;
  return [length, length >= 1000 ? `${(length / 1000).toLocaleString("en")} km` : `${length} m`];
}

export class Places {
  // spots: [{latitude, longitude, count, words, home}] in order of time; onpick(spot).
  constructor(home, spots, onpick) {
    Object.assign(this, { home, onpick, others: [] });
    const longitudes = unwrapped(spots.map((one) => one.longitude));
    this.spots = spots.map((one, i) => ({ ...one, x: longitudes[i], y: northing(one.latitude) }));
    this.canvas = svg("svg", { role: "img", "aria-label": `Map: ${spots.map((one) => one.words).slice(0, 20).join("; ")}` });
    const button = (label, sign, act) => make("button", { type: "button", "aria-label": label, title: label, onclick: act }, sign);
    home.replaceChildren(this.canvas, make("div.buttons", {},
      button("Nearer", "+", () => this.zoom(2)), button("Farther", "−", () => this.zoom(0.5)), button("All places", "⤢", () => this.fit())));
    this.listen();
    this.fit(); // at once: the others may be told before the observer's first call
    new ResizeObserver(() => (this.fitted ? this.fit() : this.draw())).observe(home);
  }

  get size() { return [Math.max(80, this.home.clientWidth), Math.max(80, this.home.clientHeight)]; }
  metres() { return (RAD * RADIUS * Math.cos(latitudeAt(this.y) * RAD)) / this.scale; } // of a pixel

  fit() {
    const [wide, high] = this.size;
    const range = (values) => [Math.min(...values), Math.max(...values)];
    const [left, right] = range(this.spots.map((one) => one.x));
    const [low, top] = range(this.spots.map((one) => one.y));
    this.x = (left + right) / 2;
    this.y = (low + top) / 2;
    const least = 2500 / (RAD * RADIUS * Math.cos(latitudeAt(this.y) * RAD)); // a view of 2.5 km
    this.scale = Math.min((wide - 110) / Math.max(right - left, least), (high - 80) / Math.max(top - low, least * high / wide));
    this.fitted = true;
    this.draw();
  }

  zoom(factor, px, py) {
    const [wide, high] = this.size;
    px ??= wide / 2;
    py ??= high / 2;
    const most = this.scale * this.metres() / CLOSEST;
    const scale = clamp(this.scale * factor, wide / 360, most);
    this.x += (px - wide / 2) * (1 / this.scale - 1 / scale);
    this.y -= (py - high / 2) * (1 / this.scale - 1 / scale);
    this.scale = scale;
    this.fitted = false;
    this.draw();
  }

  listen() {
    const pointers = new Map();
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = this.canvas.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.target.classList.contains("spot")) return;
      this.canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = [event.clientX, event.clientY];
      pointers.set(event.pointerId, now);
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const far = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
        this.zoom(far(now) / far(before));
        return;
      }
      this.x -= (now[0] - before[0]) / this.scale;
      this.y += (now[1] - before[1]) / this.scale;
      this.fitted = false;
      this.draw();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
  }

  // Where the whole catalogue's encounters were: [{latitude, longitude}].
  among(others) {
    this.others = others.map(({ latitude, longitude }) => [longitude, northing(latitude)]);
    this.draw();
  }

  draw() {
    const [wide, high] = this.size;
    const px = (x) => wide / 2 + (x - this.x) * this.scale;
    const py = (y) => high / 2 - (y - this.y) * this.scale;
    const here = this.canvas;
    here.setAttribute("viewBox", `0 0 ${wide} ${high}`);
    here.replaceChildren();
    this.net(here, wide, high, px, py);
    let count = 0;
    for (const [longitude, y] of this.others) {
      const at = [px(longitude + 360 * Math.round((this.x - longitude) / 360)), py(y)];
      if (at[0] < 0 || at[1] < 0 || at[0] > wide || at[1] > high || (count += 1) > 5000) continue;
      here.append(svg("circle", { class: "other", cx: at[0].toFixed(1), cy: at[1].toFixed(1), r: 2.2 }));
    }
    if (this.spots.length > 1) {
      here.append(svg("polyline", { class: "track", points: this.spots.map((one) => `${px(one.x).toFixed(1)},${py(one.y).toFixed(1)}`).join(" ") }));
    }
    for (const one of this.together(px, py)) {
      const dot = svg("circle", { class: "spot", cx: one.at[0].toFixed(1), cy: one.at[1].toFixed(1), r: Math.min(17, 4.5 + 1.7 * Math.sqrt(one.count)).toFixed(1) },
        svg("title", {}, one.words.join("\n")));
      dot.addEventListener("click", () => this.onpick(one.spot));
      here.append(dot);
    }
    this.bar(here, high);
  }

  // Encounters at one spot of the view are one dot.
  together(px, py) {
    const found = new Map();
    for (const spot of this.spots) {
      const at = [px(spot.x), py(spot.y)];
      const key = `${Math.round(at[0] / 6)},${Math.round(at[1] / 6)}`;
      const one = found.get(key) ?? { at, count: 0, words: [], spot };
      one.count += spot.count;
      one.words.push(spot.words);
      one.spot = spot;
      found.set(key, one);
    }
    return [...found.values()].sort((a, b) => b.count - a.count);
  }

  net(here, wide, high, px, py) {
    const step = STEPS.findLast((one) => one * this.scale >= 76) ?? STEPS[0];
    const left = this.x - wide / 2 / this.scale;
    const right = this.x + wide / 2 / this.scale;
    for (let i = Math.ceil(left / step); i * step <= right; i += 1) {
      const at = px(i * step).toFixed(1);
      here.append(svg("line", { class: "grid", x1: at, x2: at, y1: 0, y2: high }));
      const longitude = ((i * step + 180) % 360 + 360) % 360 - 180;
      if (at > 46 && at < wide - 82) here.append(svg("text", { x: at, y: 14, "text-anchor": "middle" }, degrees(longitude, "EW", step)));
    }
    // Degrees of latitude are longer in this projection, the nearer to a pole.
    const longer = 1 / Math.cos(latitudeAt(this.y) * RAD);
    const across = STEPS.findLast((one) => one * longer * this.scale >= 64) ?? STEPS[0];
    const low = latitudeAt(this.y - high / 2 / this.scale);
    const top = latitudeAt(this.y + high / 2 / this.scale);
    for (let i = Math.ceil(low / across); i * across <= top; i += 1) {
      if (Math.abs(i * across) > HIGHEST) continue;
      const at = py(northing(i * across)).toFixed(1);
      here.append(svg("line", { class: "grid", x1: 0, x2: wide, y1: at, y2: at }));
      if (at > 26 && at < high - 34) here.append(svg("text", { x: 6, y: Number(at) - 4 }, degrees(i * across, "NS", across)));
    }
  }

  bar(here, high) {
    const metres = this.metres();
    const [length, words] = round(metres * 110);
    const wide = (length / metres).toFixed(1);
    here.append(svg("path", { class: "scale", d: `M10 ${high - 16}v6h${wide}v-6` }));
    here.append(svg("text", { class: "measure", x: 10 + wide / 2, y: high - 18, "text-anchor": "middle" }, words));
  }
}
