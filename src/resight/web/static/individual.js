// One individual: its photos by encounter, when and where it was seen, and what is done to it.
import { call, pictureOf, post } from "./api.js";
import { $, $$, busy, counted, day, make, toast } from "./dom.js";
import { neighbour } from "./neighbour.js";
import { Places } from "./places.js";
import { thenSay, undo } from "./said.js";
import { timeline } from "./timeline.js";
import { Zoom } from "./zoom.js";

const home = $("#individual");
const name = home.dataset.name;
const tiles = $$(".photo");
const links = tiles.map((tile) => $(".thumb", tile));
const idOf = (tile) => Number(tile.dataset.photo);
const picture = (tile, size) => pictureOf({ id: idOf(tile), version: tile.dataset.version }, size);

// —— when and where ——

const meetings = $$(".meeting").map((one) => ({
  home: one,
  at: one.dataset.at ? new Date(one.dataset.at) : null,
  latitude: one.dataset.latitude && Number(one.dataset.latitude),
  longitude: one.dataset.longitude && Number(one.dataset.longitude),
  count: Number(one.dataset.count),
  place: one.dataset.place,
}));
for (const one of meetings) {
  one.words = [one.at ? day(one.at) : "", one.place, counted(one.count, "photo")].filter(Boolean).join(", ");
}

function point(one) {
  for (const other of $$(".meeting.pointed")) other.classList.remove("pointed");
  one.home.classList.add("pointed");
  one.home.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  $(".thumb", one.home)?.focus({ preventScroll: true });
}

const dated = meetings.filter((one) => one.at);
const placed = meetings.filter((one) => one.latitude !== undefined && one.latitude !== "").reverse();
if (dated.length) {
  $("#when").hidden = false;
  const days = new Set(dated.map((one) => one.home.dataset.at.slice(0, 10))).size;
  $("#when-words").textContent = counted(days, "day");
  timeline($("#timeline"), dated, point);
}
if (placed.length) {
  $("#where").hidden = false;
  $("#where-words").textContent = counted(placed.length, "encounter");
  const map = new Places($("#places"), placed, point);
  call("/api/places").then((others) => map.among(others)).catch(() => { /* its own are enough */ });
}

// —— selecting ——

const chosen = new Set();
let anchor = null; // from where Shift selects

function select(tile, on = !chosen.has(tile)) {
  if (on) chosen.add(tile); else chosen.delete(tile);
  tile.classList.toggle("on", on);
  $("input", tile).checked = on;
  anchor = tile;
  told();
}

function told() {
  $("#selection").hidden = !chosen.size;
  $("#selected").textContent = counted(chosen.size, "photo");
  $("[data-do=best]").hidden = chosen.size !== 1;
  home.classList.toggle("choosing", chosen.size > 0);
  for (const section of $$(".meeting")) {
    const mine = $$(".photo", section);
    $("[data-select-all]", section).textContent = mine.every((tile) => chosen.has(tile)) ? "Select none" : "Select all";
  }
}

function clear() {
  for (const tile of [...chosen]) select(tile, false);
}

function selectAll(section) {
  const mine = $$(".photo", section);
  const on = !mine.every((tile) => chosen.has(tile));
  for (const tile of mine) select(tile, on);
}

for (const tile of tiles) {
  $("input", tile).addEventListener("click", (event) => {
    const on = event.target.checked;
    if (event.shiftKey && anchor) {
      const [a, b] = [tiles.indexOf(anchor), tiles.indexOf(tile)].sort((x, y) => x - y);
      for (const one of tiles.slice(a, b + 1)) select(one, on);
    } else select(tile, on);
  });
  $(".thumb", tile).addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.button) return; // a tab of its own
    event.preventDefault();
    if (event.shiftKey || (chosen.size && event.detail)) { // by mouse, while selecting
      if (event.shiftKey && anchor) {
        const [a, b] = [tiles.indexOf(anchor), tiles.indexOf(tile)].sort((x, y) => x - y);
        for (const one of tiles.slice(a, b + 1)) select(one, true);
      } else select(tile);
    } else look(tiles.indexOf(tile));
  });
}
for (const section of $$(".meeting")) $("[data-select-all]", section).addEventListener("click", () => selectAll(section));

// —— what is done ——

// The photos that are meant: what is selected, or the one under the focus.
function meant() {
  if (chosen.size) return [...chosen];
  const tile = document.activeElement.closest?.(".photo");
  return tile ? [tile] : [];
}
const ids = (some) => some.map(idOf);
const seen = (some) => Object.fromEntries(some.map((tile) => [idOf(tile), Number(tile.dataset.seen)]));

function complain(error) {
  if (error.status === 409) { // somebody has decided meanwhile: look at that
    thenSay({ summary: error.message, action: null });
    return;
  }
  if ($("#viewer").open) $("#viewer").close(); // it would hide the words
  toast(error.message, { kind: "bad" });
}

let sending = false;
async function send(path, body, { told: tell = complain, to } = {}) {
  if (sending) return;
  sending = true;
  try {
    thenSay(await post(path, body), to);
  } catch (error) {
    sending = false;
    tell(error);
  }
}

// Ask for a name in a dialog; what goes wrong is told there.
function ask(kind, some, submit) {
  const dialog = $(`#${kind}-dialog`);
  const bad = $(".bad", dialog);
  const field = $("input", dialog);
  const count = $("[data-count]", dialog);
  if (count) count.textContent = counted(some.length, "photo");
  bad.hidden = true;
  $("form", dialog).onsubmit = (event) => {
    event.preventDefault();
    bad.hidden = true;
    submit(field.value.trim(), (error) => { bad.textContent = error.message; bad.hidden = false; });
  };
  dialog.showModal();
  field.select();
}

const does = {
  best(some) {
    if (some.length === 1) send("/api/individuals/best", { photo: idOf(some[0]) });
    else toast("One photo is the best; select one");
  },
  "take-out": (some) => send("/api/individuals/take-out", { individual: name, photos: ids(some), seen: seen(some) }),
  split: (some) => ask("split", some, (value, bad) =>
    send("/api/individuals/split", { individual: name, photos: ids(some), new: value, seen: seen(some) }, { told: bad })),
  move: (some) => ask("move", some, (value, bad) =>
    send("/api/individuals/move", { photos: ids(some), to: value, seen: seen(some) }, { told: bad })),
  junk: (some) => send("/api/decisions", { what: "junk", photos: ids(some), seen: seen(some) }),
  clear,
};
const act = (what, some = meant()) => {
  if (some.length || what === "clear") does[what](some);
  else toast("Select photos first: by their corner, or Space");
};
for (const button of $$("#selection [data-do]")) button.addEventListener("click", () => act(button.dataset.do));

const rename = () => ask("rename", [], (value, bad) =>
  send("/api/individuals/rename", { individual: name, new: value }, { told: bad }));
$("#rename").addEventListener("click", rename);
$("#forget")?.addEventListener("click", () => send("/api/individuals/forget", { individual: name }, { to: "/individuals" }));

const known = $("#move-names");
$("#move-name").addEventListener("input", async (event) => {
  const typed = event.target.value.trim();
  const names = await call(`/api/names?part=${encodeURIComponent(typed)}`).catch(() => []);
  if (event.target.value.trim() === typed) known.replaceChildren(...names.filter((one) => one !== name).map((value) => make("option", { value })));
});

// —— a photo, large ——

const viewer = $("#viewer");
const large = $("#viewer-image");
const zoom = new Zoom([$("#viewer-view")]);
let shown = 0;

function look(place) {
  shown = Math.min(tiles.length - 1, Math.max(0, place));
  const tile = tiles[shown];
  if (!tile) return;
  large.src = picture(tile, 1600);
  large.alt = tile.dataset.file;
  $("#viewer-file").textContent = tile.dataset.file;
  $("#viewer-facts").textContent = tile.dataset.facts.replace(/^ · /, "");
  $("#viewer-history").href = `/history?photo=${idOf(tile)}`;
  $("#viewer-before").disabled = shown === 0;
  $("#viewer-after").disabled = shown === tiles.length - 1;
  $("#viewer-select").setAttribute("aria-pressed", chosen.has(tile));
  if (!viewer.open) viewer.showModal();
  zoom.reset();
  for (const next of [tiles[shown + 1], tiles[shown - 1]]) if (next) new Image().src = picture(next, 1600);
}
const selectShown = () => { select(tiles[shown]); $("#viewer-select").setAttribute("aria-pressed", chosen.has(tiles[shown])); };

$("#face").addEventListener("click", (event) => {
  const id = Number(event.currentTarget.dataset.photo);
  const place = tiles.findIndex((tile) => idOf(tile) === id);
  if (place >= 0) look(place); else window.open($("img", event.currentTarget).src.replace("/320?", "/1600?"), "_blank", "noopener");
});
$("#viewer-before").addEventListener("click", () => look(shown - 1));
$("#viewer-after").addEventListener("click", () => look(shown + 1));
$("#viewer-select").addEventListener("click", selectShown);
$("#viewer-best").addEventListener("click", () => act("best", [tiles[shown]]));
viewer.addEventListener("close", () => links[shown]?.focus());
viewer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = {
    ArrowLeft: () => look(shown - 1), ArrowRight: () => look(shown + 1),
    "+": () => zoom.by(1.5), "=": () => zoom.by(1.5), "-": () => zoom.by(1 / 1.5), 0: () => zoom.reset(),
    b: () => act("best", [tiles[shown]]), x: () => act("take-out", [tiles[shown]]),
  };
  if (event.key === " " && !event.target.closest("button:not(#viewer-select), a")) keys[" "] = selectShown;
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

// —— keys ——

document.addEventListener("keydown", (event) => {
  if (busy(event)) return;
  const tile = document.activeElement.closest?.(".photo");
  const keys = {
    b: () => act("best"), x: () => act("take-out"), n: () => act("split"), t: () => act("move"),
    j: () => act("junk"), u: () => undo(), r: rename, m: () => $("#merge").click(),
    a: () => { if (tile) selectAll(tile.closest(".meeting")); },
    Escape: clear,
  };
  if (event.key.startsWith("Arrow") && links.length) {
    const there = tile ? neighbour(links, $(".thumb", tile), event.key) : links[0];
    if (!there) return;
    event.preventDefault();
    there.focus({ preventScroll: true });
    there.scrollIntoView({ block: "nearest" });
  } else if (event.key === " " && event.target.matches?.(".thumb")) {
    event.preventDefault();
    select(tile);
  } else if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});
