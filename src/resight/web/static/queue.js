// The queue: the photo, who it may be, and one key for each decision. The next photo and its answer
// are fetched beforehand, so that it is there at once.
import { call, pictureOf, post } from "./api.js";
import { $, $$, basis, busy, counted, day, make, toast } from "./dom.js";
import { takePhotos } from "./drop.js";
import { Lines } from "./lines.js";
import * as outbox from "./outbox.js";
import { hear } from "./player.js";
import { Zoom } from "./zoom.js";

const AHEAD = 3;
const items = []; // the first is shown; each {photos, encounter, put_off, answer, alone, at}
let chosen = 0; // which candidate is shown
let photoOf = 0; // which of its photos
let changedAt = 0; // when the first candidate last changed under the reader's eyes
let filling = null;
let again = false;
let round = 0; // what was asked before a restart is not listened to

const queryView = $("#query-view");
const candidateView = $("#candidate-view");
let lines = null;
const zoom = new Zoom([queryView, candidateView], () => lines?.draw());
lines = new Lines($("#lines"), $("#lines-words"), zoom, queryView, candidateView);

// —— what is shown ——

const current = () => items[0];
const shownPhotos = (item) => (item.alone ? [item.photos[item.at]] : item.photos);
const candidate = () => current()?.answer?.candidates[chosen];

function show() {
  const item = current();
  $("#loading").hidden = Boolean(item) || !filling;
  $("#nothing").hidden = Boolean(item) || Boolean(filling);
  $("#desk").hidden = !item;
  if (!item) return;
  showQuery(item);
  showAnswer(item);
}

function showQuery(item) {
  const photo = item.photos[item.at];
  const many = item.photos.length > 1;
  $("#query-title").textContent = many && !item.alone
    ? `Who is this? ${counted(item.photos.length, "photo")}` : "Who is this?";
  tellFacts($("#query-facts"), facts(photo, item.put_off && "put off before"));
  look($("#query-image"), photo, `Query: ${photo.file}`);
  hear($("#query-sound"), photo);
  const strip = $("#query-strip");
  strip.replaceChildren(...(many ? item.photos.map((one, place) =>
    thumb(one, place === item.at, () => { item.at = place; if (item.alone) ask(item, true); show(); })) : []));
  $("#alone").hidden = !many;
  $("#alone").setAttribute("aria-pressed", item.alone);
  $("#alone").firstChild.textContent = item.alone ? "The whole encounter " : "This one alone ";
}

function showAnswer(item) {
  const answer = item.answer;
  const list = $("#candidates");
  $("#answer-words").textContent = item.failed ?? answer?.words ?? "Looking …";
  $("#answer-words").classList.toggle("bad", Boolean(item.failed));
  $("#answer-set").replaceChildren(...(answer?.set_words ? [make("span.inside", { "aria-hidden": "true" }, "● "), answer.set_words] : []));
  $("#answer-basis").replaceChildren(...(answer ? basis(answer) : []),
    answer?.left_out.length ? ` Not offered, since somebody said so: ${answer.left_out.join(", ")}.` : "");
  list.replaceChildren(...(answer?.candidates ?? []).map(row));
  chosen = Math.min(chosen, Math.max(0, (answer?.candidates.length ?? 0) - 1));
  showCandidate();
}

function row(one, place) {
  const name = one.individual ?? "Somebody new";
  const face = one.photos[0]
    ? make("img", { src: pictureOf(one.photos[0], 160), alt: "", loading: "lazy" }) : "+";
  const item = make("li", { role: "option", id: `candidate-${place}`, onclick: () => choose(place) },
    make("span.face-photo", {}, face),
    make("span.who", { title: name }, name,
      one.in_set ? make("span.inside", { title: "Among those who hold the truth in 95 of 100 cases" }, " ●") : null),
    make("span.sure", {}, one.percent || (one.distance === null ? "" : one.distance.toFixed(2))),
    make("span.how", {}, one.words || (one.distance === null ? "nobody who is here" : "distance")));
  if (one.probability !== null) {
    const bar = make("i");
    bar.style.width = `${Math.max(1, 100 * one.probability)}%`;
    item.append(make("span.meter", { "aria-hidden": "true" }, bar));
  }
  return item;
}

function showCandidate() {
  const one = candidate();
  const list = $("#candidates");
  for (const [place, item] of [...list.children].entries()) {
    item.setAttribute("aria-selected", place === chosen);
    if (place === chosen) item.scrollIntoView({ block: "nearest" });
  }
  if (one) list.setAttribute("aria-activedescendant", `candidate-${chosen}`);
  else list.removeAttribute("aria-activedescendant");
  const side = current()?.photos[current().at].side;
  const photos = bestFirst(one?.photos ?? [], side);
  photoOf = Math.min(photoOf, Math.max(0, photos.length - 1));
  const photo = photos[photoOf];
  $("#candidate-title").textContent = one ? one.individual ?? "Somebody new" : "";
  tellFacts($("#candidate-facts"), photo
    ? facts(photo, side && photo.side && photo.side !== side ? "another side" : "")
    : one?.words ?? "");
  $("#candidate-image").hidden = !photo;
  $("#candidate-none").hidden = Boolean(photo);
  $("#candidate-none").textContent = one
    ? "Somebody the catalogue has not met: there is no photo to compare."
    : current()?.answer ? "Nobody is in the catalogue yet: this is somebody new." : "";
  hear($("#candidate-sound"), photo);
  if (photo) look($("#candidate-image"), photo, `${one.individual}: ${photo.file}`);
  $("#candidate-strip").replaceChildren(...photos.map((other, place) =>
    thumb(other, place === photoOf, () => { photoOf = place; showCandidate(); })));
  const many = current() ? shownPhotos(current()).length : 0;
  $('[data-do="same"]').disabled = !one && !(current()?.answer);
  $('[data-do="same"]').firstChild.textContent = one && one.individual === null ? "New … "
    : many > 1 ? `Same, all ${many} ` : "Same ";
  $('[data-do="not the same"]').disabled = !one?.individual;
  const query = current()?.photos[current().at];
  lines.pair(query, photo);
}

// The side that the query shows first; among each, the nearest.
const bestFirst = (photos, side) => photos.toSorted((a, b) => (b.side === side) - (a.side === side));

function facts(photo, more) {
  return [photo.side, day(photo.taken_at), photo.place, photo.encounter, more, photo.file].filter(Boolean).join(" · ");
}

// Where there is no room for all of it, hovering shows it.
function tellFacts(home, words) {
  home.textContent = home.title = words;
}

function thumb(photo, isCurrent, onclick) {
  return make("button.thumb", { type: "button", onclick, "aria-current": isCurrent ? "true" : null, title: facts(photo) },
    make("img", { src: pictureOf(photo, 160), alt: photo.file, width: 52, height: 52 }),
    photo.side ? make("span.side", {}, photo.side.slice(0, 6)) : null);
}

// —— pictures: large ones fetched beforehand, a small one until then ——

const ready = new Set();

function fetchPicture(photo) {
  const source = pictureOf(photo, 1600);
  if (ready.has(source)) return Promise.resolve(source);
  const image = new Image();
  image.src = source;
  return image.decode().then(() => { ready.add(source); return source; });
}

function look(image, photo, words) {
  const source = pictureOf(photo, 1600);
  image.alt = words;
  image.dataset.photo = photo.id;
  if (image.getAttribute("src") === source) return;
  if (ready.has(source)) {
    image.classList.remove("waiting");
    image.src = source;
    return;
  }
  image.classList.add("waiting");
  image.src = pictureOf(photo, 320);
  fetchPicture(photo).then(
    () => { if (image.dataset.photo === String(photo.id)) { image.src = source; image.classList.remove("waiting"); } },
    () => { if (image.dataset.photo === String(photo.id)) image.alt = `${photo.file}: the file is away or damaged`; });
}

$("#query-image").addEventListener("load", () => lines.draw());
$("#candidate-image").addEventListener("load", () => lines.draw());

// —— the queue ——

const underWay = new Set(); // photos whose decision the catalogue has not heard yet

const inHand = () => [...items.flatMap((item) => item.photos.map((photo) => photo.id)), ...underWay];

function fill(count = Math.max(0, AHEAD - items.length)) {
  if (filling) { // what has come meanwhile is not in its answer
    again = true;
    return filling;
  }
  const mine = round;
  filling = (async () => {
    try {
      const next = await call(`/api/queue?count=${count}&have=${inHand().join(",")}`);
      if (mine !== round) return;
      const before = items.length;
      for (const item of next.items) {
        const one = { ...item, answer: null, alone: false, at: 0 };
        items.push(one);
        ask(one);
        for (const photo of one.photos.slice(0, 8)) fetchPicture(photo).catch(() => {});
      }
      tell(next);
      filling = null;
      if (!before) { chosen = photoOf = 0; zoom.reset(); show(); }
    } catch (error) {
      if (mine === round) toast(error.message, { kind: "bad" });
    } finally {
      if (mine === round) filling = null;
    }
    if (!items.length) show();
    if (mine === round && again) { again = false; fill(); }
  })();
  return filling;
}

function tell(next) {
  $("#waiting").textContent = `${next.waiting.toLocaleString("en")} waiting`;
  $("#others").hidden = !next.others.length;
  $("#others").textContent = `${next.others.join(", ")} ${next.others.length === 1 ? "is" : "are"} here too`;
  $("#nothing-title").textContent = next.waiting ? "The rest is in other hands" : "Nothing waits";
}

// Ask who is on an item's photos. Asked anew while it is shown, the reader's choice stays.
async function ask(item, fresh = false) {
  const photos = shownPhotos(item).map((photo) => photo.id).join(",");
  item.asked = photos;
  if (fresh) item.answer = null;
  try {
    const answer = await call(`/api/answers?photos=${photos}`);
    if (item.asked !== photos) return;
    const [was, is] = [item.answer?.candidates[0]?.individual, answer.candidates[0]?.individual];
    const kept = item === current() && chosen > 0 ? candidate()?.individual : undefined;
    if (item === current() && item.answer && was !== is) changedAt = Date.now();
    item.answer = answer;
    item.failed = null;
    for (const one of answer.candidates.slice(0, 2)) {
      if (one.photos[0]) fetchPicture(one.photos[0]).catch(() => {});
    }
    if (item !== current()) return;
    if (kept !== undefined) {
      const place = answer.candidates.findIndex((one) => one.individual === kept);
      chosen = place < 0 ? 0 : place;
    }
    showAnswer(item);
  } catch (error) {
    if (item.asked !== photos) return;
    item.failed = error.message;
    if (item === current()) showAnswer(item);
  }
}

function askAll() {
  for (const item of items) ask(item);
}

async function restart() {
  round += 1;
  filling = null;
  again = false;
  items.length = 0;
  await fill(AHEAD);
}

function next() {
  chosen = photoOf = 0;
  zoom.reset();
  show();
  fill();
}

// —— decisions ——

function decide(what, individual) {
  const item = current();
  if (!item) return;
  const photos = shownPhotos(item);
  const one = candidate();
  const decision = {
    what,
    photos: photos.map((photo) => photo.id),
    seen: Object.fromEntries(photos.map((photo) => [photo.id, photo.last_word])),
    shown: item.answer?.candidates.slice(0, 8).map(({ individual: who, probability, distance }) => ({ individual: who, probability, distance })),
  };
  if (individual) decision.individual = individual;
  if (what !== "later" && what !== "junk") {
    const about = what === "new" ? item.answer?.candidates.find((c) => c.individual === null) : one;
    if (about?.probability != null) decision.probability = about.probability;
  }
  for (const photo of decision.photos) underWay.add(photo);
  if (what === "not the same") {
    item.answer.candidates.splice(chosen, 1);
    item.asked = null;
    photoOf = 0;
    showAnswer(item);
  } else {
    item.photos = item.photos.filter((photo) => !decision.photos.includes(photo.id));
    item.alone = false;
    item.at = 0;
    if (item.photos.length) { ask(item, true); chosen = photoOf = 0; show(); }
    else { items.shift(); next(); }
  }
  deliver(decision, item);
}

async function deliver(decision, item) {
  try {
    const done = await outbox.send(decision)
      .finally(() => decision.photos.forEach((photo) => underWay.delete(photo)));
    for (const photo of item?.photos ?? []) photo.last_word = done.last_words[photo.id] ?? photo.last_word;
    toast(sentence(done.summary), done.action ? { action: "Undo", onaction: () => undo(done.action) } : {});
    askAll(); // whoever has just been named may be on the next photo too
    fill();
  } catch (error) {
    toast(`${error.message}. Yours was not written.`, { kind: "bad" });
    restart();
  }
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

async function undo(action = null, way = "undo") {
  await outbox.arrived();
  try {
    const done = way === "redo" ? await post("/api/redo") : await post("/api/undo", action ? { action } : {});
    toast(sentence(done.summary));
    await restart();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

function choose(place) {
  if (!current()?.answer?.candidates[place]) return;
  chosen = place;
  photoOf = 0;
  showCandidate();
}

function same() {
  if (!current()?.answer || Date.now() - changedAt < 350) return; // it has just changed: look first
  const one = candidate();
  if (one?.individual) decide("same", one.individual);
  else somebodyNew();
}

// —— somebody new ——

const dialog = $("#new-dialog");
const nameField = $("#new-name");
let known = false;

function somebodyNew() {
  if (!current()) return;
  nameField.value = current().answer?.suggested_name ?? "";
  known = false;
  hint([]);
  dialog.showModal();
  nameField.select();
}

function hint(names) {
  const name = nameField.value.trim();
  known = names.includes(name);
  const near = names.find((one) => one !== name && one.toLowerCase() === name.toLowerCase());
  $("#new-hint").textContent = known ? `${name} is in the catalogue: this says that it is ${name}.`
    : near ? `There is also ${near}.` : "";
  $("#new-save").firstChild.textContent = known ? `It is ${name} ` : "New individual ";
}

nameField.addEventListener("input", async () => {
  const part = nameField.value.trim();
  if (!part) { hint([]); return; }
  const names = await call(`/api/names?part=${encodeURIComponent(part)}`).catch(() => []);
  if (nameField.value.trim() !== part) return;
  $("#new-names").replaceChildren(...names.map((name) => make("option", { value: name })));
  hint(names);
});

$("#new-form").addEventListener("submit", () => {
  const name = nameField.value.trim();
  if (name) decide(known ? "same" : "new", name);
});

// —— keys and buttons ——

const does = {
  same,
  "not the same": () => { if (candidate()?.individual) decide("not the same", candidate().individual); },
  new: somebodyNew,
  later: () => decide("later"),
  junk: () => decide("junk"),
  undo: () => undo(),
  lines: () => {
    const on = lines.toggle();
    $('[data-do="lines"]').setAttribute("aria-pressed", on);
  },
};

for (const button of $$("[data-do]")) {
  button.addEventListener("click", () => { button.blur(); does[button.dataset.do](); });
}
$("#alone").addEventListener("click", () => { $("#alone").blur(); alone(); });

function alone() {
  const item = current();
  if (!item || item.photos.length < 2) return;
  item.alone = !item.alone;
  chosen = photoOf = 0;
  ask(item, true);
  show();
}

function turn(by) {
  const count = candidate()?.photos.length ?? 0;
  if (count) { photoOf = (photoOf + by + count) % count; showCandidate(); }
}

function leaf(by) {
  const item = current();
  if (!item || item.photos.length < 2) return;
  item.at = (item.at + by + item.photos.length) % item.photos.length;
  if (item.alone) ask(item, true);
  show();
}

const keys = {
  Enter: same,
  x: does["not the same"],
  n: somebodyNew,
  l: does.later,
  j: does.junk,
  u: does.undo,
  r: () => undo(null, "redo"),
  m: does.lines,
  a: alone,
  ArrowDown: () => choose(chosen + 1),
  ArrowUp: () => choose(chosen - 1),
  ArrowRight: () => turn(1),
  ArrowLeft: () => turn(-1),
  "]": () => leaf(1),
  "[": () => leaf(-1),
  "+": () => zoom.by(1.4),
  "=": () => zoom.by(1.4),
  "-": () => zoom.by(1 / 1.4),
  0: () => zoom.reset(),
};

document.addEventListener("keydown", (event) => {
  if (busy(event) || event.repeat && event.key.length === 1 && event.key !== "+" && event.key !== "-") return;
  if ((event.key === "Enter" || event.key === " ") && event.target.closest("button, a, summary")) return;
  if (event.repeat && event.key === "Enter") return; // a key that is held decides once
  const digit = Number(event.key);
  const act = digit >= 1 && digit <= 9 ? () => choose(digit - 1) : keys[event.key];
  if (act) { event.preventDefault(); act(); }
});

// —— the day's round ——

outbox.whenChanged((error) => {
  const chip = $("#saving");
  const slow = Boolean(error) && outbox.pending();
  chip.hidden = !slow;
  chip.className = slow ? "chip bad" : "chip";
  if (slow) chip.textContent = `${counted(outbox.pending(), "decision")} not saved yet: ${error.message}`;
});
takePhotos(() => fill());
function takeUp() {
  for (const decision of outbox.leftBehind()) {
    decision.photos.forEach((photo) => underWay.add(photo));
    deliver(decision, null);
  }
}
takeUp();
setInterval(takeUp, 2000);
setInterval(() => { if (items.length && !document.hidden) fill(Math.max(0, AHEAD - items.length)); }, 30000);
setInterval(() => { if (!items.length && !document.hidden) fill(AHEAD); }, 3000);
addEventListener("pagehide", () => { call("/api/queue?count=0&have=", { keepalive: true }).catch(() => {}); });
addEventListener("pageshow", (event) => { if (event.persisted) restart(); });
fill(AHEAD);
