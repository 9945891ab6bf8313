// Very many points on one canvas: drawn pixel by pixel, which is quick on every computer.
const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const MOST = 60;
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8a7a00", "#7a5bb5"];
const NOBODY = -1;

// "#0072b2" or "rgb(…)" as the three numbers of a pixel.
function parts(colour) {
  const hex = colour.match(/^#(..)(..)(..)$/);
  return hex ? hex.slice(1).map((two) => parseInt(two, 16)) : colour.match(/[\d.]+/g).slice(0, 3).map(Number);
}
const mixed = (one, other, share) => one.map((part, at) => Math.round(part + (other[at] - part) * share));
const packed = ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0;

// The colour of the individual with this place in the list; the first eight are told apart by all.
export function colourOf(who, dark = isDark()) {
  if (who < 0) return dark ? "#8d9691" : "#7d827d";
  if (who < PALETTE.length) {
    return dark ? `rgb(${mixed(parts(PALETTE[who]), [255, 255, 255], 0.22).join(",")})` : PALETTE[who];
  }
  const hue = (who * 137.508) % 360, light = (dark ? 62 : 42) + (who % 3) * 6 - 6;
  const probe = (n) => {  // hsl to rgb
    const k = (n + hue / 30) % 12, a = 0.5 * Math.min(light / 100, 1 - light / 100);
    return Math.round(255 * (light / 100 - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return `rgb(${probe(0)},${probe(8)},${probe(4)})`;
}
export const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark";

export class MapView {
  // handlers: hover(place | -1), pick(place, more), lasso(places, more), moved()
  constructor(box, handlers = {}) {
    this.box = box;
    this.on = handlers;
    this.canvas = box.querySelector("canvas.points");
    this.over = box.querySelector("canvas.over");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.lines = this.over.getContext("2d");
    this.x = this.y = new Float32Array(0);
    this.sx = this.sy = new Float32Array(0);
    this.who = new Int32Array(0);
    this.photos = [];
    this.names = [];
    this.selected = new Set();
    this.highlit = null; // the individual whose points stand out
    this.hovered = this.cursor = -1;
    this.marked = null; // {x, y, words, near: [places]}
    this.lassoing = false;
    this.pointers = new Map();
    this.zoom = this.spanX = this.spanY = 1;
    this.panX = this.panY = 0;
    this.frames = 0;
    this.recolour();
    this.resize(); // the observer's first call may come later than the map and the first key
    new ResizeObserver(() => this.resize()).observe(box);
    document.addEventListener("themechange", () => this.recolour());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    this.listen();
  }

  // A map as the endpoint gives it; points that stay glide to their new places.
  set({ photos, x, y, who, names }) {
    const before = new Map(this.photos.map((photo, place) => [photo, place]));
    const same = this.photos.length > 0 && !STILL.matches;
    const fromX = new Float32Array(x), fromY = new Float32Array(y);
    if (same) {
      photos.forEach((photo, place) => {
        const old = before.get(photo);
        if (old !== undefined) { fromX[place] = this.x[old]; fromY[place] = this.y[old]; }
      });
    }
    const keep = (place) => (place < 0 ? -1 : photos.indexOf(this.photos[place]));
    this.selected = new Set([...this.selected].map((place) => this.photos[place]).map((() => {
      const at = new Map(photos.map((photo, place) => [photo, place]));
      return (photo) => at.get(photo);
    })()).filter((place) => place !== undefined));
    this.cursor = keep(this.cursor);
    this.hovered = -1;
    this.photos = photos;
    this.names = names;
    this.who = Int32Array.from(who);
    this.toX = Float32Array.from(x);
    this.toY = Float32Array.from(y);
    const most = (values) => values.reduce((far, value) => Math.max(far, Math.abs(value)), 0.3);
    this.spanX = most(this.toX);
    this.spanY = most(this.toY);
    this.x = same ? fromX : this.toX;
    this.y = same ? fromY : this.toY;
    this.sx = new Float32Array(photos.length);
    this.sy = new Float32Array(photos.length);
    this.members = new Map();
    for (let i = 0; i < who.length; i++) {
      if (!this.members.has(who[i])) this.members.set(who[i], []);
      this.members.get(who[i]).push(i);
    }
    this.locate();
    this.recolour();
    if (same) this.glide(fromX, fromY);
  }

  glide(fromX, fromY) {
    const began = performance.now(), mine = (this.gliding = {});
    const step = (now) => {
      if (this.gliding !== mine) return;
      const t = Math.min(1, (now - began) / 450), eased = 1 - (1 - t) ** 3;
      if (t >= 1) { this.x = this.toX; this.y = this.toY; } else {
        const x = new Float32Array(fromX.length), y = new Float32Array(fromX.length);
        for (let i = 0; i < x.length; i++) {
          x[i] = fromX[i] + (this.toX[i] - fromX[i]) * eased;
          y[i] = fromY[i] + (this.toY[i] - fromY[i]) * eased;
        }
        this.x = x; this.y = y;
        requestAnimationFrame(step);
      }
      this.draw();
    };
    requestAnimationFrame(step);
  }

  recolour() {
    const style = getComputedStyle(document.documentElement), dark = isDark();
    const ground = parts(style.getPropertyValue("--sheet").trim());
    this.ink = style.getPropertyValue("--ink").trim();
    this.sheet = style.getPropertyValue("--sheet").trim();
    this.accent = style.getPropertyValue("--accent").trim();
    this.match = style.getPropertyValue("--match").trim();
    this.ground = packed(ground);
    this.border = packed(parts(this.ink));
    this.colours = new Map();
    for (const who of this.members?.keys() ?? []) {
      const rgb = parts(colourOf(who, dark));
      this.colours.set(who, { full: packed(rgb), dim: packed(mixed(rgb, ground, 0.8)) });
    }
    this.draw();
  }

  resize() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.wide = this.box.clientWidth;
    this.high = this.box.clientHeight;
    if (!this.wide || !this.high) return;
    for (const canvas of [this.canvas, this.over]) {
      canvas.width = Math.round(this.wide * ratio);
      canvas.height = Math.round(this.high * ratio);
    }
    this.ratio = ratio;
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.paint(); // at once: a canvas whose size was set is black until it is drawn
  }

  draw() {
    if (this.waiting || !this.pixels) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.paint(); });
  }

  get fit() { return Math.min(this.wide / this.spanX, this.high / this.spanY) * 0.43 * this.zoom; }
  toScreen(x, y) { return [this.wide / 2 + this.panX + x * this.fit, this.high / 2 + this.panY - y * this.fit]; }

  radius() {
    const count = Math.max(this.photos.length, 1);
    return Math.min(7, Math.max(1.6, 6.4 - 1.1 * Math.log10(count)) * this.zoom ** 0.3);
  }

  // Where every point is on the screen.
  locate() {
    const { fit } = this, left = this.wide / 2 + this.panX, top = this.high / 2 + this.panY;
    for (let i = 0; i < this.photos.length; i++) {
      this.sx[i] = left + this.x[i] * fit;
      this.sy[i] = top - this.y[i] * fit;
    }
  }

  paint() {
    const count = this.photos.length, { ratio } = this;
    this.locate();
    this.pixels.fill(this.ground);
    const r = this.radius() * ratio, disc = this.mask(r), ring = this.mask(r, Math.max(1, r * 0.4));
    const rim = this.mask(r + 2 * ratio), large = this.mask(r + 0.6 * ratio);
    const front = [], { highlit, who } = this;
    for (let i = 0; i < count; i++) {
      if (this.selected.has(i) || (highlit !== null && who[i] === highlit)) { front.push(i); continue; }
      const colour = this.colours.get(who[i]);
      this.dot(who[i] === NOBODY ? ring : disc, i, highlit !== null || this.selected.size ? colour.dim : colour.full);
    }
    for (const i of front) {
      if (this.selected.has(i)) this.dot(rim, i, this.border);
      this.dot(large, i, this.colours.get(who[i]).full);
    }
    this.context.putImageData(this.image, 0, 0);
    this.frames += 1;
    this.paintOver();
    this.on.moved?.();
  }

  // Coverage of a disc or ring: where (dx, dy) from its middle, and how much of the pixel.
  mask(r, hollow = 0) {
    const reach = Math.ceil(r + 0.5), full = [], edge = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const far = Math.hypot(dx, dy);
        let share = Math.min(1, Math.max(0, r + 0.5 - far));
        if (hollow) share *= Math.min(1, Math.max(0, far - (r - hollow) + 0.5));
        const at = dy * this.canvas.width + dx;
        if (share > 0.97) full.push(at); else if (share > 0.04) edge.push([at, Math.round(share * 256)]);
      }
    }
    return { reach, full: Int32Array.from(full), edge: Int32Array.from(edge.map(([at]) => at)), share: Int32Array.from(edge.map(([, share]) => share)) };
  }

  dot(mask, i, colour) {
    const { width, height } = this.canvas, { pixels } = this, { reach, full, edge, share } = mask;
    const x = Math.round(this.sx[i] * this.ratio), y = Math.round(this.sy[i] * this.ratio);
    if (!(x >= reach && y >= reach && x < width - reach && y < height - reach)) return;
    const middle = y * width + x;
    for (let k = 0; k < full.length; k++) pixels[middle + full[k]] = colour;
    const red = colour & 255, green = colour >> 8 & 255, blue = colour >> 16 & 255;
    for (let k = 0; k < edge.length; k++) {
      const at = middle + edge[k], old = pixels[at], part = share[k];
      const r = old & 255, g = old >> 8 & 255, b = old >> 16 & 255;
      pixels[at] = (0xff000000 | (b + ((blue - b) * part >> 8)) << 16 | (g + ((green - g) * part >> 8)) << 8 | (r + ((red - r) * part >> 8))) >>> 0;
    }
  }

  paintOver() {
    const { lines: c, ratio } = this;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, this.wide, this.high);
    this.writeNames(c);
    if (this.marked) this.drawMark(c);
    for (const [place, colour] of [[this.cursor, this.accent], [this.hovered, this.ink]]) {
      if (place < 0) continue;
      c.beginPath();
      c.arc(this.sx[place], this.sy[place], this.radius() + 5, 0, 7);
      c.lineWidth = 2; c.strokeStyle = colour; c.stroke();
    }
    if (this.lasso?.length > 1) {
      c.beginPath();
      this.lasso.forEach(([x, y], at) => (at ? c.lineTo(x, y) : c.moveTo(x, y)));
      c.closePath();
      c.globalAlpha = 0.12; c.fillStyle = this.accent; c.fill();
      c.globalAlpha = 1; c.setLineDash([5, 4]); c.lineWidth = 1.5; c.strokeStyle = this.accent; c.stroke();
      c.setLineDash([]);
    }
  }

  // The new point of a drawing: where it fell, and lines to those it is most like.
  drawMark(c) {
    const { x, y, words, near = [] } = this.marked, [px, py] = this.toScreen(x, y);
    c.strokeStyle = this.match; c.lineWidth = 1.2; c.globalAlpha = 0.7;
    for (const photo of near) {
      const place = this.photos.indexOf(photo);
      if (place < 0) continue;
      c.beginPath(); c.moveTo(px, py); c.lineTo(this.sx[place], this.sy[place]); c.stroke();
    }
    c.globalAlpha = 1;
    c.beginPath();
    for (let k = 0; k < 10; k++) {
      const far = k % 2 ? 5.5 : 12, turn = Math.PI * k / 5 - Math.PI / 2;
      c[k ? "lineTo" : "moveTo"](px + far * Math.cos(turn), py + far * Math.sin(turn));
    }
    c.closePath(); c.fillStyle = this.match; c.fill(); c.lineWidth = 1.5; c.strokeStyle = this.sheet; c.stroke();
    this.write(c, words, px, py - 22, 600, 13);
  }

  write(c, words, x, y, weight, size) {
    c.font = `${weight} ${size}px system-ui, sans-serif`;
    c.textAlign = "center"; c.textBaseline = "middle"; c.lineJoin = "round";
    c.lineWidth = 4; c.strokeStyle = this.sheet; c.strokeText(words, x, y);
    c.fillStyle = this.ink; c.fillText(words, x, y);
  }

  // Names of individuals, the largest first, where there is room.
  writeNames(c) {
    const taken = [];
    if (this.marked) {
      const [mx, my] = this.toScreen(this.marked.x, this.marked.y);
      taken.push([mx - 46, my - 32, mx + 46, my + 14]);
    }
    const few = this.names.length <= 60;
    const wanted = this.highlit !== null ? [this.highlit] : [...this.names.keys()].slice(0, few ? 60 : 200);
    for (const who of wanted) {
      const [px, py] = this.middle(who);
      if (px < 0 || py < 0 || px > this.wide || py > this.high) continue;
      const words = this.names[who]?.slice(0, 24) ?? "";
      const size = few ? 13 : 11, half = words.length * size * 0.3 + 5;
      const up = this.above(who, py);
      const box = [px - half, py - up - 9, px + half, py - up + 9];
      if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      taken.push(box);
      this.write(c, words, px, py - up, few ? 650 : 550, size);
      if (taken.length >= 70) break;
    }
  }

  // On the screen: of an individual's points the one that is nearest to their medians.
  middle(who) {
    const places = this.members.get(who) ?? [];
    const of = (values) => places.map((i) => values[i]).sort((a, b) => a - b)[places.length >> 1];
    if (!places.length) return [-1, -1];
    const mx = of(this.sx), my = of(this.sy);
    let best = places[0], least = Infinity;
    for (const i of places) {
      const far = (this.sx[i] - mx) ** 2 + (this.sy[i] - my) ** 2;
      if (far < least) { least = far; best = i; }
    }
    return [this.sx[best], this.sy[best]];
  }

  // How far above its middle a name stands free of a small heap; on a large one it stands itself.
  above(who, py) {
    const places = this.members.get(who) ?? [];
    const near = places.filter((i) => Math.abs(this.sy[i] - py) < 40).map((i) => this.sy[i]);
    const top = Math.min(...near.slice(0, 400));
    return near.length > 60 ? 0 : py - top + this.radius() + 9;
  }

  at(px, py, reach = 14) {
    let best = -1, least = reach * reach;
    for (let i = 0; i < this.photos.length; i++) {
      const far = (this.sx[i] - px) ** 2 + (this.sy[i] - py) ** 2;
      if (far < least) { least = far; best = i; }
    }
    return best;
  }

  // Those within a ring of places on the screen (even-odd rule).
  inside(ring) {
    const found = [];
    for (let i = 0; i < this.photos.length; i++) {
      const x = this.sx[i], y = this.sy[i];
      let within = false;
      for (let a = 0, b = ring.length - 1; a < ring.length; b = a++) {
        const [ax, ay] = ring[a], [bx, by] = ring[b];
        if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) within = !within;
      }
      if (within) found.push(i);
    }
    return found;
  }

  by(factor, px = this.wide / 2, py = this.high / 2) {
    const zoom = Math.min(MOST, Math.max(0.6, this.zoom * factor)), real = zoom / this.zoom;
    const cx = px - this.wide / 2, cy = py - this.high / 2;
    this.panX = cx - (cx - this.panX) * real;
    this.panY = cy - (cy - this.panY) * real;
    this.zoom = zoom;
    this.draw();
  }

  all() { this.zoom = 1; this.panX = this.panY = 0; this.draw(); }

  // Bring a photo into the middle.
  show(place, zoom = Math.max(this.zoom, 3)) {
    if (place < 0) return;
    this.zoom = zoom;
    this.panX = -this.x[place] * this.fit;
    this.panY = this.y[place] * this.fit;
    this.draw();
  }

  // The next point in a direction, from the one under the cursor.
  step(dx, dy) {
    if (this.cursor < 0) {
      this.cursor = this.at(this.wide / 2, this.high / 2, 1e6);
      this.draw();
      return this.cursor;
    }
    const from = this.cursor;
    let best = -1, least = Infinity;
    for (let i = 0; i < this.photos.length; i++) {
      const ax = this.sx[i] - this.sx[from], ay = this.sy[i] - this.sy[from];
      const along = ax * dx + ay * dy, aside = Math.abs(ax * dy - ay * dx);
      if (i === from || along <= 0.01 || aside > along) continue;
      const cost = along + 2 * aside;
      if (cost < least) { least = cost; best = i; }
    }
    if (best >= 0) this.cursor = best;
    const px = this.sx[this.cursor], py = this.sy[this.cursor];
    if (px < 20 || py < 20 || px > this.wide - 20 || py > this.high - 20) this.show(this.cursor, this.zoom);
    this.draw();
    return this.cursor;
  }

  listen() {
    const { over } = this;
    const place = (event) => { const box = over.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    over.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.by(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...place(event));
    }, { passive: false });
    over.addEventListener("dblclick", (event) => this.by(2, ...place(event)));
    over.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      over.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place(event));
      this.began = place(event);
      this.walked = 0;
      if (this.pointers.size === 1 && (this.lassoing || event.shiftKey)) this.lasso = [place(event)];
      else this.lasso = null;
    });
    over.addEventListener("pointermove", (event) => {
      const now = place(event), before = this.pointers.get(event.pointerId);
      if (!before) {
        const found = this.at(...now);
        if (found !== this.hovered) { this.hovered = found; this.on.hover?.(found, ...now); this.draw(); }
        return;
      }
      this.pointers.set(event.pointerId, now);
      this.walked += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (this.pointers.size > 1) {
        this.lasso = null;
        const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
        const far = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
        this.by(far(now) / far(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      } else if (this.lasso) {
        this.lasso.push(now);
        this.draw();
      } else if (this.walked > 3) {
        this.panX += now[0] - before[0];
        this.panY += now[1] - before[1];
        this.draw();
      }
    });
    const end = (event) => {
      if (!this.pointers.delete(event.pointerId)) return;
      const more = event.shiftKey || event.ctrlKey || event.metaKey;
      if (event.type === "pointerup" && this.walked <= 4 && !this.pointers.size) {
        this.lasso = null;
        this.on.pick?.(this.at(...place(event)), more);
      } else if (this.lasso?.length > 2) {
        const found = this.inside(this.lasso);
        this.lasso = null;
        this.on.lasso?.(found, event.ctrlKey || event.metaKey);
      }
      this.lasso = null;
      this.draw();
    };
    over.addEventListener("pointerup", end);
    over.addEventListener("pointercancel", end);
    over.addEventListener("pointerleave", () => {
      if (this.hovered >= 0) { this.hovered = -1; this.on.hover?.(-1); this.draw(); }
    });
  }
}
