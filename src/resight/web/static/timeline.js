// When an individual was seen: a dot for each encounter, on a line of time.
const SVG = "http://www.w3.org/2000/svg";
const DAY = 86_400_000;
const HIGH = 92;
const EDGE = 26;

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// meetings: [{at: Date, count, words, home: element}]; onpick(meeting) when a dot is pressed.
export function timeline(home, meetings, onpick) {
  const times = meetings.map((one) => one.at.getTime());
  const first = Math.min(...times);
  const last = Math.max(...times);
  const span = Math.max(last - first, 4 * DAY);
  const from = (first + last - span) / 2;

  function draw() {
    const wide = Math.max(160, home.clientWidth);
    const x = (time) => EDGE + ((time - from) / span) * (wide - 2 * EDGE);
    const middle = 40;
    const picture = svg("svg", { viewBox: `0 0 ${wide} ${HIGH}`, height: HIGH, role: "img",
      "aria-label": `${meetings.length} encounters between ${words(first)} and ${words(last)}` });
    picture.append(svg("line", { class: "axis", x1: 8, x2: wide - 8, y1: middle, y2: middle }));
    let free = -Infinity;
    for (const [time, label] of ticks(from - span * 0.04, from + span * 1.04, wide / 84)) {
      const at = x(time);
      if (at < 4 || at > wide - 4) continue;
      picture.append(svg("line", { class: "tick", x1: at, x2: at, y1: middle - 24, y2: middle + 26 }));
      if (at - label.length * 3.2 < free || at + label.length * 3.2 > wide) continue;
      free = at + label.length * 3.2 + 8;
      picture.append(svg("text", { x: at, y: middle + 42, "text-anchor": "middle" }, label));
    }
    for (const one of [...meetings].sort((a, b) => b.count - a.count)) {
      const radius = Math.min(19, 4 + 2.3 * Math.sqrt(one.count));
      const dot = svg("circle", { cx: x(one.at.getTime()), cy: middle, r: radius },
        svg("title", {}, one.words));
      dot.addEventListener("click", () => onpick(one));
      picture.append(dot);
    }
    home.replaceChildren(picture);
  }
  new ResizeObserver(draw).observe(home);
}

const words = (time) => new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });

// Round moments between two, about `most` of them, each with its label.
function ticks(from, to, most) {
  const days = (to - from) / DAY;
  const start = new Date(from);
  const found = [];
  const steps = [[1, "d"], [2, "d"], [7, "d"], [14, "d"], [1, "m"], [2, "m"], [3, "m"], [6, "m"], [12, "m"], [24, "m"], [60, "m"], [120, "m"], [240, "m"]];
  const length = ([count, unit]) => count * (unit === "d" ? 1 : 30.44);
  const [count, unit] = steps.find((step) => days / length(step) <= Math.max(2, most)) ?? steps.at(-1);
  if (unit === "d") {
    for (let at = new Date(start.getFullYear(), start.getMonth(), start.getDate()); at <= to; at = new Date(at.getFullYear(), at.getMonth(), at.getDate() + count)) {
      found.push([at.getTime(), at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })]);
    }
  } else {
    const month = Math.floor((start.getFullYear() * 12 + start.getMonth()) / count) * count;
    for (let at = month; ; at += count) {
      const date = new Date(Math.floor(at / 12), at % 12, 1);
      if (date > to) break;
      found.push([date.getTime(), count >= 12 ? String(date.getFullYear())
        : date.toLocaleDateString("en-GB", at % 12 ? { month: "short" } : { month: "short", year: "numeric" })]);
    }
  }
  return found;
}
