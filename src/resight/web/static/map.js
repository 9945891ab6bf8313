// The map of fingerprints: hover to see, lasso to select, and say who it is.
import { call, pictureOf, post } from "./api.js";
import { $, busy, counted, make, toast } from "./dom.js";
import { MapView, colourOf } from "./mapview.js";

const SHOWN = 120; // thumbs of what is selected
const MOST = 500; // photos of one decision
const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);
const known = new Map(); // photos by number, as they were fetched
const out = new Set(); // selected photos that are left out again
let drawn = null;
let polling = 0;

const view = new MapView($("#field"), { hover, pick, lasso: lassoed });
window.resightMap = view; // for those who look under the bonnet, and for tests

const name = (place) => view.names[view.who[place]] ?? "no name yet";

async function fetchPhotos(ids) {
  const missing = ids.filter((id) => !known.has(id));
  for (let at = 0; at < missing.length; at += 300) {
    for (const photo of await call(`/api/map/photos?photos=${missing.slice(at, at + 300).join(",")}`)) known.set(photo.id, photo);
  }
  return ids.map((id) => known.get(id));
}

// —— the map ——

async function load() {
  try {
    drawn = await call("/api/map");
  } catch (error) {
    $("#state-words").textContent = error.message;
    return;
  }
  view.set(drawn);
  legend();
  state(drawn.job);
  if (view.selected.size) showSelection();
  if (drawn.job?.running) poll(drawn.job.step);
  doubts();
}

function state(job) {
  const sample = drawn.total > drawn.drawn;
  const many = sample
    ? `${drawn.drawn.toLocaleString("en")} of ${drawn.total.toLocaleString("en")} photos, drawn by chance`
    : counted(drawn.drawn, "photo");
  const running = Boolean(job?.running);
  $("#state-words").textContent = !drawn.drawn ? "There is no photo yet."
    : running ? `${job.words} …` : job?.error ? `${many} by two main directions; the map failed: ${job.error}`
      : `${many}, in ${counted(drawn.names.length, "individual")}`;
  const bar = $("#progress");
  bar.hidden = !running;
  if (running && job.share !== null) bar.value = job.share; else bar.removeAttribute("value");
}

// While it is laid out, look how far it is; what moves is fetched as it moves.
function poll(step) {
  clearTimeout(polling);
  polling = setTimeout(async () => {
    const job = await call("/api/map/progress").catch(() => null);
    if (!job) { poll(step); return; }
    state(job);
    if (!job.running || job.step > step) await load();
    else poll(job.step);
  }, 400);
}

function hover(place, px, py) {
  const tip = $("#tip");
  view.hovering = place;
  if (place < 0) { tip.hidden = true; return; }
  const id = view.photos[place];
  tip.style.left = `${Math.min(px + 18, view.wide - 190)}px`;
  tip.style.top = `${py > view.high - 235 ? Math.max(4, py - 235) : py + 14}px`;
  fetchPhotos([id]).then(([photo]) => {
    if (view.hovering !== place) return;
    tip.replaceChildren(make("img", { src: pictureOf(photo, 160), alt: "" }),
      make("b", {}, photo.individual ?? "no name yet"),
      [photo.side, photo.taken_at?.slice(0, 10), photo.file].filter(Boolean).join(" · "));
    tip.hidden = false;
  }).catch(() => { tip.hidden = true; });
}

function pick(place, more) {
  if (place < 0) { if (!more) select([]); return; }
  view.cursor = place;
  if (more) {
    const now = new Set(view.selected);
    if (!now.delete(place)) now.add(place);
    select([...now]);
  } else select([place]);
}

function lassoed(places, more) {
  select(more ? [...new Set([...view.selected, ...places])] : places);
  setLasso(false);
  if (!places.length) toast("There is no photo within the lasso");
}

function setLasso(on) {
  view.lassoing = on;
  $("#lasso").setAttribute("aria-pressed", on);
  $("#map").classList.toggle("lassoing", on);
}

// —— who there is ——

function legend() {
  const counts = new Map([...view.members].map(([who, places]) => [who, places.length]));
  const rows = [...view.names.keys()].slice(0, 300);
  if (counts.has(-1)) rows.unshift(-1);
  $("#legend").replaceChildren(...rows.map((who) => {
    const dot = make("span.dot", { "aria-hidden": "true" });
    dot.style.background = who < 0 ? "transparent" : colourOf(who);
    if (who < 0) dot.style.border = `2px solid ${colourOf(-1)}`;
    return make("li", {}, make("button", {
      type: "button", "aria-pressed": String(view.highlit === who), title: view.names[who] ?? "no name yet",
      onclick: (event) => highlight(view.highlit === who ? null : who, event.shiftKey),
    }, dot, make("span.name", {}, view.names[who] ?? "no name yet"), make("span.count", {}, counts.get(who)?.toLocaleString("en") ?? "0")));
  }));
  $("#found").replaceChildren(...view.names.slice(0, 2000).map((one) => make("option", { value: one })));
}

function highlight(who) {
  view.highlit = who;
  view.draw();
  for (const button of $("#legend").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(who !== null && button.title === (view.names[who] ?? "no name yet")));
  }
}

$("#find").addEventListener("change", () => {
  const typed = $("#find").value.trim();
  const who = view.names.indexOf(typed);
  if (typed && who < 0) { toast(`Nobody on the map is called ${typed}`); return; }
  highlight(typed ? who : null);
  if (typed) { view.cursor = view.members.get(who)[0]; view.show(view.cursor, Math.max(view.zoom, 2)); }
});
document.addEventListener("themechange", legend);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", legend);

// —— what is selected ——

function select(places) {
  view.selected = new Set(places);
  out.clear();
  view.draw();
  showSelection();
}

const chosen = () => [...view.selected].map((place) => view.photos[place]).filter((id) => !out.has(id));

async function showSelection() {
  const places = [...view.selected];
  $("#selection").hidden = !places.length;
  if (!places.length) return;
  const ids = places.map((place) => view.photos[place]);
  const counts = new Map();
  for (const place of places) counts.set(view.who[place], (counts.get(view.who[place]) ?? 0) + 1);
  $("#chips").replaceChildren(...(counts.size > 1 ? [...counts].sort((a, b) => b[1] - a[1]).slice(0, 40) : []).map(([who, count]) => {
    const dot = make("span.dot", { "aria-hidden": "true" });
    dot.style.background = colourOf(who);
    return make("button.chip", {
      type: "button", title: "Select only these",
      onclick: () => select(places.filter((place) => view.who[place] === who)),
    }, dot, `${view.names[who] ?? "no name yet"} ${count}`);
  }));
  $("#more").hidden = places.length <= SHOWN;
  $("#more").textContent = `The first ${SHOWN} of ${places.length.toLocaleString("en")} are shown.`;
  verbs();
  try {
    const photos = await fetchPhotos(ids.slice(0, SHOWN));
    if (places.some((place) => !view.selected.has(place))) return;
    $("#thumbs").replaceChildren(...photos.map(thumb));
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

function thumb(photo) {
  const button = make("button.thumb", {
    type: "button", "aria-pressed": String(!out.has(photo.id)), title: `${photo.individual ?? "no name yet"} · ${photo.file} (press to leave out)`,
    onclick: () => {
      if (!out.delete(photo.id)) out.add(photo.id);
      button.classList.toggle("out", out.has(photo.id));
      button.setAttribute("aria-pressed", String(!out.has(photo.id)));
      verbs();
    },
  }, make("img", { src: pictureOf(photo, 160), alt: `${photo.individual ?? "no name yet"}: ${photo.file}`, loading: "lazy" }));
  return button;
}

function verbs() {
  const count = chosen().length, typed = $("#name").value.trim();
  $("#selection-title").textContent = `${counted(count, "photo")} selected`;
  $("#it-is").textContent = typed ? `${view.names.includes(typed) ? "It is" : "New:"} ${typed}` : "It is …";
  $("#it-is-not").textContent = typed ? `Not ${typed}` : "Not the same";
  const many = count > MOST;
  $("#it-is").disabled = $("#it-is-not").disabled = !count || !typed || many;
  $("#junk").disabled = !count || many;
  $("#it-is").title = many ? `${MOST} photos at most are decided at once` : "";
}

$("#name").addEventListener("input", async () => {
  verbs();
  const typed = $("#name").value.trim();
  const names = await call(`/api/names?part=${encodeURIComponent(typed)}`).catch(() => []);
  if ($("#name").value.trim() !== typed) return;
  $("#names").replaceChildren(...names.map((one) => make("option", { value: one })));
});

async function seen(ids) {
  const photos = await fetchPhotos(ids);
  return Object.fromEntries(photos.map((photo) => [photo.id, photo.last_word]));
}

// Do something to the catalogue; then all that has changed is shown again.
async function act(work) {
  try {
    const done = await work();
    const actions = done.actions ?? (done.action ? [done.action] : []);
    after(sentence(done.summary), actions);
    return true;
  } catch (error) {
    toast(error.message, { kind: "bad" });
    known.clear();
    return false;
  }
}

function after(words, actions) {
  toast(words, actions.length ? { action: "Undo", onaction: () => undo(actions) } : {});
  known.clear();
  load();
}

async function undo(actions) {
  try {
    let words = "";
    if (!actions) words = (await post("/api/undo", {})).summary;
    else for (const action of actions) words = (await post("/api/undo", { action })).summary;
    after(sentence(words), []);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

const whose = async (ids, individual) =>
  post("/api/map/whose", { photos: ids, individual, known: view.names.includes(individual) || (await call(`/api/names?part=${encodeURIComponent(individual)}`)).includes(individual), seen: await seen(ids) });

$("#say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = $("#name").value.trim(), ids = chosen();
  if (!typed || !ids.length) return;
  if (await act(() => whose(ids, typed))) { $("#name").value = ""; select([]); }
});
$("#it-is-not").addEventListener("click", async () => {
  const ids = chosen(), individual = $("#name").value.trim();
  if (await act(async () => post("/api/decisions", { what: "not the same", photos: ids, individual, seen: await seen(ids) }))) select([]);
});
$("#junk").addEventListener("click", async () => {
  const ids = chosen();
  if (await act(async () => post("/api/decisions", { what: "junk", photos: ids, seen: await seen(ids) }))) select([]);
});

// —— what is to be looked at ——

async function doubts() {
  const box = $("#doubts");
  let found;
  try {
    found = await call("/api/map/doubts");
  } catch (error) {
    box.replaceChildren(make("p.note", {}, error.message));
    return;
  }
  if (!found.ready) return;
  const parts = [];
  if (found.doubts.length) {
    parts.push(make("h3.sub", {}, `Names that the fingerprints doubt: ${found.doubts.length}`), ...found.doubts.map(doubt));
  }
  if (found.outliers.length) {
    parts.push(make("h3.sub", {}, `Like no other: ${found.outliers.length}`), make("div.lonely", {}, found.outliers.map((one) => {
      known.set(one.photo.id, one.photo);
      return make("button.thumb", { type: "button", title: `${one.photo.individual ?? "no name yet"}. ${one.words}`, onclick: () => look(one.photo, one.words) },
        make("img", { src: pictureOf(one.photo, 160), alt: `${one.photo.individual ?? "no name yet"}: ${one.photo.file}`, loading: "lazy" }));
    })));
  }
  if (!parts.length) parts.push(make("p.faint", {}, "Nothing stands out: every photo with others of its individual is most like one of them, and none is far from all."));
  box.replaceChildren(...parts);
}

function doubt(one) {
  const face = (photo, words) => make("button.thumb", { type: "button", title: words, onclick: () => look(one.photo, one.words, one) },
    make("img", { src: pictureOf(photo, 160), alt: words, loading: "lazy" }));
  return make("div.doubt", {},
    make("div.pair", {}, face(one.photo, `Named ${one.photo.individual}: ${one.photo.file}`), face(one.nearest, `The nearest, ${one.individual}'s: ${one.nearest.file}`),
      make("p", {}, one.words)),
    make("div.row", {},
      make("button.small", { type: "button", onclick: () => look(one.photo, one.words, one) }, "Look"),
      make("button.small", { type: "button", onclick: () => act(() => whose([one.photo.id], one.individual)) }, `It is ${one.individual}`),
      make("button.small", { type: "button", title: `It is not ${one.individual}, and is not doubted again`, onclick: () => act(() => post("/api/groups/apart", { photos: [one.photo.id], other: one.nearest.id })) }, "The name is right")));
}

// A photo large, beside those that are most like it.
async function look(photo, words, one = null) {
  const place = view.photos.indexOf(photo.id);
  view.cursor = place;
  view.show(place);
  const figure = (other, caption) => make("figure", {}, make("img", { src: pictureOf(other, 640), alt: `${other.individual ?? "no name yet"}: ${other.file}` }),
    make("figcaption", {}, make("b", {}, other.individual ?? "no name yet"), caption));
  const dialog = $("#look"), looks = $("#looks");
  $("#look-title").textContent = photo.individual ?? "No name yet";
  $("#look-words").textContent = words;
  const verbs = [make("button", { type: "button", onclick: () => { dialog.close(); select([place]); $("#name").focus(); } }, "Say who it is")];
  if (one) {
    looks.className = "looks";
    looks.replaceChildren(figure(photo, `this photo: ${photo.file}`), figure(one.nearest, "the photo most like it"), figure(one.own, `the nearest of ${photo.individual}'s own`));
    verbs.push(make("button", { type: "button", onclick: () => { dialog.close(); act(() => post("/api/groups/apart", { photos: [photo.id], other: one.nearest.id })); } }, "The name is right"),
      make("button", { type: "button", onclick: () => { dialog.close(); act(() => whose([photo.id], one.individual)); } }, `It is ${one.individual}`));
  } else {
    looks.className = "looks small";
    looks.replaceChildren(figure(photo, photo.file));
    call(`/api/map/near?photo=${photo.id}`).then((near) => {
      for (const other of near) { known.set(other.id, other); looks.append(figure(other, `${other.distance.toFixed(2)} away`)); }
    }).catch((error) => toast(error.message, { kind: "bad" }));
  }
  $("#look-verbs").replaceChildren(...verbs);
  dialog.showModal();
}

// —— keys and buttons ——

$("#lasso").addEventListener("click", () => setLasso(!view.lassoing));
$("#in").addEventListener("click", () => view.by(1.5));
$("#out").addEventListener("click", () => view.by(1 / 1.5));
$("#all").addEventListener("click", () => view.all());
$("#clear").addEventListener("click", () => { select([]); $("#map").focus(); });

const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.activeElement?.id === "name") { $("#map").focus(); return; }
  if (busy(event)) return;
  const onMap = document.activeElement?.id === "map" || document.activeElement === document.body || document.activeElement?.id === "main";
  const key = event.key;
  if (arrows[key] && onMap && drawn?.drawn) {
    event.preventDefault();
    const place = view.step(...arrows[key]);
    $("#told").textContent = `${name(place)}${view.selected.has(place) ? ", selected" : ""}`;
    hover(place, view.sx[place], view.sy[place]);
  } else if (key === "Enter" && document.activeElement?.id === "map" && view.cursor >= 0) {
    event.preventDefault();
    pick(view.cursor, true);
    $("#told").textContent = `${name(view.cursor)}, ${view.selected.has(view.cursor) ? "selected" : "not selected"}; ${view.selected.size} in all`;
  } else if (key === "a" && view.cursor >= 0) select(view.members.get(view.who[view.cursor]));
  else if (key === "o" && view.cursor >= 0) fetchPhotos([view.photos[view.cursor]]).then(([photo]) => look(photo, "The photos most like it, by their fingerprints."));
  else if (key === "l") setLasso(!view.lassoing);
  else if (key === "+" || key === "=") view.by(1.4);
  else if (key === "-" || key === "−") view.by(1 / 1.4);
  else if (key === "0") view.all();
  else if (key === "f") { event.preventDefault(); $("#find").focus(); }
  else if (key === "n" && view.selected.size) { event.preventDefault(); $("#name").focus(); }
  else if (key === "d") { $("#doubts-title").focus(); $("#doubts-title").scrollIntoView(); }
  else if (key === "Escape") { setLasso(false); select([]); highlight(null); }
  else if (key === "u") undo(null);
});
load();
