// Who may be the same individual: both side by side, and one key to make them one.
import { call, pictureOf, post } from "./api.js";
import { $, $$, basis, busy, counted, day, make, toast } from "./dom.js";
import { Lines } from "./lines.js";
import { thenSay, undo } from "./said.js";
import { Zoom } from "./zoom.js";

const desk = $("#desk");
const name = desk.dataset.name;
const mine = JSON.parse(desk.dataset.photos);
const home = `/individuals/${desk.dataset.number}`;
let like = null; // what the catalogue answers
let chosen = 0; // which individual is shown
let photoOf = 0; // which of its photos
let own = mine[0] ?? null; // the photo of this one that is shown

const mineView = $("#mine-view");
const otherView = $("#other-view");
let lines = null;
const zoom = new Zoom([mineView, otherView], () => lines?.draw());
lines = new Lines($("#lines"), $("#lines-words"), zoom, mineView, otherView);

const candidate = () => like?.answer.candidates[chosen];
const facts = (photo) => [day(photo.taken_at), photo.side, photo.place].filter(Boolean).join(" · ");

function look(image, photo, words) {
  image.hidden = !photo;
  if (!photo) return;
  image.src = pictureOf(photo, 1600);
  image.alt = words;
}

function strip(place, photos, shown, onpick) {
  place.replaceChildren(...photos.map((photo) => make("button.thumb", {
    type: "button", "aria-pressed": String(photo.id === shown?.id), "aria-label": `${photo.file}${photo.side ? `, ${photo.side}` : ""}`,
    onclick: () => onpick(photo),
  }, make("img", { src: pictureOf(photo, 160), alt: "", loading: "lazy" }), photo.side ? make("span.side", { "aria-hidden": "true" }, photo.side) : null)));
  place.querySelector("[aria-pressed=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function show() {
  const one = candidate();
  const photo = one?.photos[photoOf];
  look($("#mine-image"), own, `${name}: ${own?.file}`);
  $("#mine-facts").textContent = own ? facts(own) : "no photos";
  strip($("#mine-strip"), mine, own, (picked) => { own = picked; zoom.reset(); show(); });
  const number = one && like.numbers[one.individual];
  $("#other-title").replaceChildren(one ? make("a", { href: `/individuals/${number}` }, one.individual) : "");
  $("#other-facts").textContent = photo ? facts(photo) : "";
  look($("#other-image"), photo, `${one?.individual}: ${photo?.file}`);
  strip($("#other-strip"), one?.photos ?? [], photo, (picked) => pick(one.photos.indexOf(picked)));
  for (const button of $$(".bar [data-do=into], .bar [data-do=keep-other], .bar [data-do=apart]")) button.disabled = !one || !photo;
  $("[data-mine]").textContent = name;
  $("[data-other]").textContent = one?.individual ?? "…";
  for (const [place, item] of $$("#candidates li").entries()) {
    item.setAttribute("aria-selected", place === chosen);
    if (place === chosen) {
      $("#candidates").setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    }
  }
  lines.pair(own, photo);
}

// A photo of the other, beside the nearest one of this individual.
function pick(place) {
  const photos = candidate()?.photos ?? [];
  if (!photos.length) return;
  photoOf = (place + photos.length) % photos.length;
  own = like.pairs[photos[photoOf].id] ?? own;
  zoom.reset();
  show();
}

function choose(place) {
  const all = like?.answer.candidates ?? [];
  if (place < 0 || place >= all.length) return;
  chosen = place;
  pick(0);
}

async function load() {
  try {
    like = await call(`/api/individuals/${desk.dataset.number}/alike`);
  } catch (error) {
    $("#answer-words").textContent = error.message;
    $("#other-none").textContent = "Nobody to compare with.";
    show();
    return;
  }
  const { candidates, left_out: out, calibrated } = like.answer;
  $("#answer-words").textContent = candidates.length ? `Who is most like ${name}` : `Nobody is like ${name}`;
  $("#answer-basis").replaceChildren(...basis(like.answer), out.length ? ` Said to be not the same: ${out.join(", ")}.` : "");
  $("#candidates").replaceChildren(...candidates.map((one, place) => make("li", { id: `candidate-${place}`, role: "option", onclick: () => choose(place) },
    make("span.face-photo", {}, one.photos[0] ? make("img", { src: pictureOf(one.photos[0], 160), alt: "" }) : null),
    make("span.who", {}, one.individual),
    make("span.sure", {}, calibrated ? one.percent : ""),
    make("span.how", {}, calibrated ? one.words : `distance ${one.distance.toFixed(2)}`))));
  if (candidates.length) choose(0); else show();
}

let sending = false;
async function decide(what) {
  const one = candidate();
  const photo = one?.photos[photoOf];
  if (!photo || sending) return;
  sending = true;
  try {
    if (what === "apart") {
      const done = await post("/api/groups/apart", { photos: [own.id], other: photo.id });
      toast(`${name} and ${one.individual} are not the same`, { action: "Undo", onaction: () => undo({ action: done.action }) });
      await load();
    } else if (what === "into") {
      thenSay(await post("/api/individuals/merge", { individual: one.individual, into: name }), home);
    } else {
      thenSay(await post("/api/individuals/merge", { individual: name, into: one.individual }), `/individuals/${like.numbers[one.individual]}`);
    }
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  sending = false;
}

const does = {
  into: () => decide("into"),
  "keep-other": () => decide("keep-other"),
  apart: () => decide("apart"),
  lines: () => $(".bar [data-do=lines]").setAttribute("aria-pressed", lines.toggle()),
  undo: () => undo(),
};
for (const button of $$(".bar [data-do]")) button.addEventListener("click", () => does[button.dataset.do]());

document.addEventListener("keydown", (event) => {
  if (busy(event)) return;
  const keys = {
    Enter: does.into, k: does["keep-other"], x: does.apart, m: does.lines, u: does.undo,
    ArrowDown: () => choose(chosen + 1), ArrowUp: () => choose(chosen - 1),
    ArrowRight: () => pick(photoOf + 1), ArrowLeft: () => pick(photoOf - 1),
    "+": () => zoom.by(1.5), "=": () => zoom.by(1.5), "-": () => zoom.by(1 / 1.5), 0: () => zoom.reset(),
    Escape: () => location.assign(home),
  };
  if (/^[1-9]$/.test(event.key)) keys[event.key] = () => choose(Number(event.key) - 1);
  if (!keys[event.key] || (event.key === "Enter" && event.target.closest("button, a"))) return;
  event.preventDefault();
  keys[event.key]();
});
show();
load();
