// Two views of photos that zoom and move in step, by wheel, drag, pinch and double click.
const MOST = 12;

export class Zoom {
  constructor(views, onchange = () => {}) {
    this.views = views;
    this.onchange = onchange;
    this.pointers = new Map();
    this.reset();
    for (const view of views) {
      view.addEventListener("wheel", (event) => {
        event.preventDefault();
        const { x, y } = this.at(event, view);
        this.by(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), x, y);
      }, { passive: false });
      view.addEventListener("dblclick", (event) => {
        const { x, y } = this.at(event, view);
        if (this.scale > 1.01) this.reset(); else this.by(3, x, y);
      });
      view.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        view.setPointerCapture(event.pointerId);
        this.pointers.set(event.pointerId, this.at(event, view));
      });
      view.addEventListener("pointermove", (event) => this.moved(event, view));
      for (const end of ["pointerup", "pointercancel"]) {
        view.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
      }
    }
    new ResizeObserver(() => this.draw()).observe(views[0]);
  }

  at(event, view) {
    const box = view.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  moved(event, view) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.at(event, view);
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
    this.pointers.set(event.pointerId, now);
    if (others.length) {
      const [, other] = others[0];
      const far = (a) => Math.hypot(a.x - other.x, a.y - other.y) || 1;
      this.by(far(now) / far(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else {
      this.x += now.x - before.x;
      this.y += now.y - before.y;
      this.draw();
    }
  }

  // Zoom by a factor about a place in the view; the middle by default.
  by(factor, x, y) {
    const { clientWidth: wide, clientHeight: high } = this.views[0];
    x ??= wide / 2;
    y ??= high / 2;
    const scale = Math.min(MOST, Math.max(1, this.scale * factor));
    this.x = x - (x - this.x) * (scale / this.scale);
    this.y = y - (y - this.y) * (scale / this.scale);
    this.scale = scale;
    this.draw();
  }

  reset() {
    this.scale = 1;
    this.x = this.y = 0;
    this.draw();
  }

  draw() {
    const { clientWidth: wide, clientHeight: high } = this.views[0];
    this.x = Math.min(0, Math.max(wide * (1 - this.scale), this.x));
    this.y = Math.min(0, Math.max(high * (1 - this.scale), this.y));
    for (const view of this.views) {
      const image = view.querySelector("img");
      if (image) image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    }
    this.onchange();
  }

  // Where a place of a view's photo (shares of its width and height) lies in that view, in pixels.
  place(view, fx, fy) {
    const image = view.querySelector("img");
    const { naturalWidth: w, naturalHeight: h } = image;
    const fit = Math.min(view.clientWidth / w, view.clientHeight / h);
    const x = (view.clientWidth - w * fit) / 2 + fx * w * fit;
    const y = (view.clientHeight - h * fit) / 2 + fy * h * fit;
    return { x: x * this.scale + this.x, y: y * this.scale + this.y };
  }
}
