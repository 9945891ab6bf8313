// Draw a glyph: what it is is asked while the pen moves; one drawing is enough to enrol it.
import { call, pictureOf, post } from "./api.js";
import { $, busy, make, toast } from "./dom.js";
import { MapView } from "./mapview.js";

const pen = $("#pen"), paper = pen.getContext("2d"), eye = $("#eye");
const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);
const strokes = []; // of each the points, in pixels of the canvas
let pictured = null; // the pixels of a picture that was taken instead
let answer = null;
let drawing = false;
let keyPen = null; // where the pen is that the arrow keys move, and whether it is down
let asking = 0, asked = 0, timer = 0;

const view = new MapView($("#field"), { hover });
window.resightMap = view;

// —— the pen ——

function paint() {
  const style = getComputedStyle(document.documentElement);
  paper.clearRect(0, 0, pen.width, pen.height);
  paper.strokeStyle = paper.fillStyle = style.getPropertyValue("--ink").trim();
  paper.lineWidth = 22;
  paper.lineCap = paper.lineJoin = "round";
  for (const points of strokes) {
    paper.beginPath();
    paper.moveTo(...points[0]);
    if (points.length === 1) paper.lineTo(points[0][0] + 0.1, points[0][1]);
    for (let at = 1; at < points.length; at++) {  // curves through the middles: smooth, as a pen is
      const [x, y] = points[at], [nx, ny] = points[at + 1] ?? points[at];
      paper.quadraticCurveTo(x, y, (x + nx) / 2, (y + ny) / 2);
    }
    paper.stroke();
  }
  if (keyPen) {
    paper.beginPath();
    paper.arc(keyPen.x, keyPen.y, keyPen.down ? 15 : 20, 0, 7);
    paper.lineWidth = 4;
    paper.strokeStyle = style.getPropertyValue("--accent").trim();
    paper.stroke();
  }
  $("#hint").hidden = strokes.length > 0 || pictured !== null || keyPen !== null;
  $("#back").disabled = !strokes.length;
  $("#clear").disabled = !strokes.length && pictured === null;
  ready();
}

const point = (event) => {
  const box = pen.getBoundingClientRect();
  const round = (value) => Math.round(value * 10) / 10;
  return [round((event.clientX - box.left) / box.width * pen.width), round((event.clientY - box.top) / box.height * pen.height)];
};

pen.addEventListener("pointerdown", (event) => {
  if (event.button || drawing) return;
  pen.setPointerCapture(event.pointerId);
  if (pictured !== null) clear();
  drawing = true;
  keyPen = null;
  strokes.push([point(event)]);
  paint();
});
pen.addEventListener("pointermove", (event) => {
  if (!drawing) return;
  const points = strokes.at(-1);
  for (const one of event.getCoalescedEvents?.() ?? [event]) {
    const [x, y] = point(one), [px, py] = points.at(-1);
    if (Math.hypot(x - px, y - py) >= 2 && points.length < 4000) points.push([x, y]);
  }
  paint();
  soon(180);
});
for (const end of ["pointerup", "pointercancel"]) {
  pen.addEventListener(end, () => { if (drawing) { drawing = false; soon(0); } });
}
document.addEventListener("themechange", paint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

function clear() {
  strokes.length = 0;
  pictured = null;
  keyPen = null;
  answer = null;
  asked = ++asking;
  view.marked = null;
  view.draw();
  eye.getContext("2d").clearRect(0, 0, 28, 28);
  $("#answer").textContent = "What is it?";
  $("#guesses").replaceChildren();
  $("#near").replaceChildren(make("p.faint", {}, "Draw, and the photos most like it are shown while you do."));
  paint();
}

function back() {
  strokes.pop();
  if (strokes.length) { paint(); soon(0); } else clear();
}

// —— asking ——

function soon(wait) {
  if (wait && timer) return;
  clearTimeout(timer);
  timer = setTimeout(() => { timer = 0; ask(); }, wait);
}

const body = () => (pictured !== null ? { pixels: pictured } : { strokes });

async function ask() {
  if (!strokes.length && pictured === null) return;
  const mine = ++asking;
  let found;
  try {
    found = await post("/api/draw/ask", body());
  } catch (error) {
    if (mine > asked) $("#answer").textContent = error.message;
    return;
  }
  if (mine < asked) return; // a later one was quicker
  asked = mine;
  answer = found;
  showPixels(found.pixels);
  $("#answer").textContent = found.sentence;
  $("#basis").textContent = found.calibrated ? found.basis
    : "By how catalogues are on average: a guess, until this one is calibrated (see Quality).";
  $("#guesses").replaceChildren(...found.guesses.map(guess));
  $("#near").replaceChildren(...found.near.map((photo) => make("figure", { title: `${photo.individual ?? "no name yet"}, ${photo.distance.toFixed(2)} away` },
    make("img", { src: pictureOf(photo, 160), alt: `${photo.individual ?? "no name yet"}, ${photo.distance.toFixed(2)} away` }),
    make("figcaption", {}, photo.individual ?? "?"), make("span", {}, photo.distance.toFixed(2)))));
  if (found.place) {
    view.marked = { x: found.place[0], y: found.place[1], words: "your drawing", near: found.near.slice(0, 3).map((photo) => photo.id) };
    view.draw();
  }
  ready();
}

function guess(one) {
  const bar = make("i");
  bar.style.width = `${Math.max(1, 100 * one.probability)}%`;
  return make("li", {},
    make("span.face", { "aria-hidden": "true" }, one.photo ? make("img", { src: pictureOf(one.photo, 160), alt: "" }) : "+"),
    make("span.who", {}, one.individual ?? "Something new"),
    make("span.sure", { title: one.words }, one.percent),
    make("span.meter", { "aria-hidden": "true" }, bar));
}

function showPixels(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const image = new ImageData(28, 28);
  bytes.forEach((value, at) => image.data.set([value, value, value, 255], 4 * at));
  eye.getContext("2d").putImageData(image, 0, 0);
}

// —— a picture instead ——

async function take(file) {
  const form = new FormData();
  form.append("file", file);
  try {
    const found = await call("/api/draw/picture", { method: "POST", form });
    clear();
    pictured = found.pixels;
    showPixels(pictured);
    const shown = await createImageBitmap(eye);
    paint();
    paper.imageSmoothingEnabled = false;
    paper.drawImage(shown, 0, 0, pen.width, pen.height);
    ask();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}
$("#file").addEventListener("change", (event) => { if (event.target.files[0]) take(event.target.files[0]); event.target.value = ""; });
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("#sheet").addEventListener(kind, (event) => {
    event.preventDefault();
    $("#sheet").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
}

// —— enrolling ——

function ready() {
  $("#keep").disabled = (!strokes.length && pictured === null) || !$("#name").value.trim();
}
$("#name").addEventListener("input", async () => {
  ready();
  const typed = $("#name").value.trim();
  const names = await call(`/api/names?part=${encodeURIComponent(typed)}`).catch(() => []);
  $("#names").replaceChildren(...names.map((one) => make("option", { value: one })));
});
$("#enrol").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("#name").value.trim();
  if ($("#keep").disabled) return;
  $("#keep").disabled = true;
  try {
    const done = await post("/api/draw/enrol", { ...body(), name });
    toast(sentence(done.summary), done.action ? { action: "Undo", onaction: () => undo(done.action), seconds: 10 } : {});
    if (done.action) remember(done, name);
    clear();
    $("#hint b").textContent = `Now draw another ${name}`;
    $("#name").value = "";
    $("#name").blur();
    load();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  ready();
});

async function remember(done, name) {
  const photo = await call(`/api/photos/${done.photo}`);
  $("#kept-box").hidden = false;
  $("#kept").append(make("li", { id: `kept-${done.action}` }, make("img", { src: pictureOf(photo, 160), alt: "" }), make("b", {}, name),
    make("button.link", { type: "button", "aria-label": `Take ${name} back`, onclick: () => undo(done.action) }, "Undo")));
}

async function undo(action) {
  try {
    const done = await post("/api/undo", { action });
    toast(sentence(done.summary));
    $(`#kept-${action}`)?.remove();
    $("#kept-box").hidden = !$("#kept").children.length;
    load();
    soon(0);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

// —— the map ——

let polling = 0;
async function load() {
  let drawn;
  try {
    drawn = await call("/api/map");
  } catch (error) {
    $("#state-words").textContent = error.message;
    return;
  }
  view.set(drawn);
  state(drawn.job, drawn);
  if (drawn.job?.running) poll(drawn.job.step, drawn);
  if (strokes.length || pictured !== null) soon(300);
}
function state(job, drawn) {
  $("#state-words").textContent = job?.running ? `${job.words} …` : `${drawn.drawn.toLocaleString("en")} photos; like lies by like`;
  $("#progress").hidden = !job?.running;
  if (job?.running && job.share !== null) $("#progress").value = job.share; else $("#progress").removeAttribute("value");
}
function poll(step, drawn) {
  clearTimeout(polling);
  polling = setTimeout(async () => {
    const job = await call("/api/map/progress").catch(() => null);
    if (job) state(job, drawn);
    if (job && (!job.running || job.step > step)) load();
    else poll(step, drawn);
  }, 500);
}
const tips = new Map();
async function hover(place, px, py) {
  const tip = $("#tip");
  view.hovering = place;
  if (place < 0) { tip.hidden = true; return; }
  const id = view.photos[place];
  try {
    if (!tips.has(id)) tips.set(id, await call(`/api/photos/${id}`));
  } catch { return; }
  if (view.hovering !== place) return;
  const photo = tips.get(id);
  tip.style.left = `${Math.max(0, Math.min(px + 18, view.wide - 190))}px`;
  tip.style.top = `${py > view.high - 235 ? Math.max(4, py - 235) : py + 14}px`;
  tip.replaceChildren(make("img", { src: pictureOf(photo, 160), alt: "" }), make("b", {}, photo.individual ?? "no name yet"), photo.file);
  tip.hidden = false;
}

// —— keys and buttons ——

$("#back").addEventListener("click", back);
$("#clear").addEventListener("click", clear);
const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function moveKeyPen(dx, dy, fine) {
  keyPen ??= { x: pen.width / 2, y: pen.height / 2, down: false };
  const far = fine ? 8 : 28;
  keyPen.x = Math.min(pen.width, Math.max(0, keyPen.x + dx * far));
  keyPen.y = Math.min(pen.height, Math.max(0, keyPen.y + dy * far));
  if (keyPen.down) { strokes.at(-1).push([keyPen.x, keyPen.y]); soon(0); }
  paint();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.activeElement?.id === "name") { pen.focus(); return; }
  if (busy(event)) return;
  const onPaper = document.activeElement === pen;
  if (onPaper && arrows[event.key]) {
    event.preventDefault();
    moveKeyPen(...arrows[event.key], event.shiftKey);
  } else if (onPaper && event.key === " ") {
    event.preventDefault();
    if (pictured !== null) clear();
    keyPen ??= { x: pen.width / 2, y: pen.height / 2, down: false };
    keyPen.down = !keyPen.down;
    if (keyPen.down) strokes.push([[keyPen.x, keyPen.y]]);
    paint();
    soon(0);
  } else if (event.key === "z" || event.key === "Backspace") back();
  else if (event.key === "c") clear();
  else if (event.key === "e") { event.preventDefault(); $("#name").focus(); }
  else if (event.key === "p") $("#file").click();
  else if (event.key === "u") {
    const last = $("#kept").lastElementChild;
    if (last) undo(Number(last.id.split("-")[1]));
  }
});
paint();
load();
