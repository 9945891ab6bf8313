// Quality: calibrate, measure, and see what would make the catalogue surer.
import { call, pictureOf, post } from "./api.js";
import { $, busy, counted, make, toast } from "./dom.js";

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

// —— work that goes on beside the page ——

function show(name, job) {
  const box = $(`#${name}-job`);
  box.hidden = !job || (!job.running && !job.error);
  if (!job) return;
  box.classList.toggle("done", !job.running);
  $(".words", box).textContent = job.error ? sentence(job.error)
    : `${job.words} …${job.seconds > 3 ? ` ${Math.round(job.seconds)} s` : ""}`;
  const bar = $("progress", box);
  bar.hidden = !job.running;
  if (job.share !== null) bar.value = job.share; else bar.removeAttribute("value");
  $(name === "calibrate" ? "#calibrate" : "#measure").disabled = job.running;
}

const watched = new Set();
async function watch(name, done) {
  if (watched.has(name)) return;
  watched.add(name);
  for (;;) {
    const job = (await call("/api/quality/progress").catch(() => null))?.[name];
    if (job) {
      show(name, job);
      if (!job.running) {
        watched.delete(name);
        if (!job.error) done(job);
        return;
      }
    }
    await new Promise((resume) => setTimeout(resume, 400));
  }
}

async function calibrate() {
  if ($("#calibrate").disabled) return;
  try {
    show("calibrate", await post("/api/quality/calibrate", { closely: $("#closely").checked }));
    watch("calibrate", calibrated);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}
function calibrated(job) {
  try { sessionStorage.setItem("calibrated", job.words); } catch { /* no word, then */ }
  location.reload();
}

async function measure() {
  if ($("#measure").disabled) return;
  try {
    show("evaluate", await post("/api/quality/evaluate"));
    watch("evaluate", evaluation);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

// —— what would make it surer ——

const person = (name) => make("a.chip", { href: `/individuals/called?name=${encodeURIComponent(name)}` }, name);

function gap(number, words, names, total) {
  return make("section.card.gap", {}, make("b.big", {}, number.toLocaleString("en")), make("p", {}, words),
    names?.length ? make("details", {}, make("summary", {}, names.length < total ? `The first ${names.length}` : "Who"), make("div.names", {}, names.map(person))) : null);
}

async function gaps() {
  const box = $("#gaps");
  try {
    const found = await call("/api/quality/gaps");
    const since = $("#since");
    since.textContent = found.decisions && since.dataset.calibrated === "yes" ? `Since then ${counted(found.decisions, "decision")}${found.named > 0 ? `, ${counted(found.named, "more named photo")}` : ""}.` : "";
    const all = [
      gap(found.one_photo, "have one photo only. A second one, from another day, helps most.", found.one_photo_names, found.one_photo),
      gap(found.one_encounter, "have photos of one encounter only: seen once, in one light and one pose.", found.one_encounter_names, found.one_encounter),
      ...Object.entries(found.without_side).map(([side, count]) => gap(count, `have no photo of their side “${side}”, so nobody is found by it.`, found.without_side_names[side], count)),
    ];
    const cards = all.filter((card) => $("b", card).textContent !== "0");
    if (!cards.length && found.photos) cards.push(make("section.card.gap", {}, make("p", {}, "Everybody has several photos, of several encounters and of every side.")));
    if (!found.sided && found.photos) cards.push(make("section.card.gap", {}, make("p", {}, "No photo says which side it shows. Where left and right differ, sides keep a left from being compared with a right.")));
    box.replaceChildren(...found.advice.map((words) => make("p.note", {}, words)), ...cards);
  } catch (error) {
    box.replaceChildren(make("p.note", {}, error.message));
  }
  box.setAttribute("aria-busy", "false");
}

// —— how good the model is here ——

async function evaluation() {
  const box = $("#evaluation");
  let found;
  try {
    found = await call("/api/quality/evaluation");
  } catch (error) {
    box.replaceChildren(make("p.note", {}, error.message));
    return;
  }
  if (!found) return;
  $("#report").hidden = false;
  $("#measure").textContent = "Measure again";
  const muddles = found.muddles.length
    ? make("ul.muddles", {}, found.muddles.map((one) => make("li", {}, make("span", {}, person(one.names[0]), " and ", person(one.names[1])), make("span", {}, `${one.times} of ${one.asked}`))))
    : make("p.faint", {}, "Nobody was taken for anybody else.");
  box.replaceChildren(
    found.current ? "" : make("p.faint", {}, "Something has been decided since; measure again."),
    make("div.evaluation", {},
      make("section.card", {}, make("ul.said", {}, found.said.map((one) => make("li", { className: `of-${one.kind}` }, one.words)))),
      make("section.card", {}, make("h3", {}, "Taken for one another"), make("p.faint", {}, "Of how many photos that asked. More photos of these tell them apart; or they are one."), muddles)),
    found.pairs.length ? make("h3", {}, "The surest mistakes") : "",
    make("div.pairs", {}, found.pairs.map(mistake)));
}

function mistake(one) {
  const figure = (photo, words) => make("figure", {}, make("img", { src: pictureOf(photo, 320), alt: `${photo.individual ?? "no name yet"}: ${photo.file}`, loading: "lazy" }),
    make("figcaption", {}, make("b", {}, photo.individual ?? "no name yet"), words));
  const card = make("section.card.mistake", { "aria-label": `${one.asked.individual} taken for ${one.taken_for.individual}` },
    make("div.three", {}, figure(one.asked, "asked"), figure(one.taken_for, "taken for"), one.right ? figure(one.right, "its own") : ""),
    make("p", {}, sentence(one.words)),
    make("div.row", {},
      make("button.small", { type: "button", title: `Say that these two photos do not show the same individual`, onclick: () => act(card, () => post("/api/groups/apart", { photos: [one.asked.id], other: one.taken_for.id })) }, "Not the same"),
      make("button.small", { type: "button", title: `Move the photo to ${one.taken_for.individual}`, onclick: () => act(card, () => post("/api/map/whose", { photos: [one.asked.id], individual: one.taken_for.individual, known: true, seen: { [one.asked.id]: one.asked.last_word } })) }, `It is ${one.taken_for.individual}`)));
  return card;
}

async function act(card, work) {
  try {
    const done = await work();
    const actions = done.actions ?? (done.action ? [done.action] : []);
    toast(sentence(done.summary), actions.length ? { action: "Undo", onaction: async () => {
      try {
        for (const action of actions) await post("/api/undo", { action });
        toast("Taken back");
        card.hidden = false;
      } catch (error) { toast(error.message, { kind: "bad" }); }
    } } : {});
    card.hidden = true;
    gaps();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

// —— begin ——

$("#calibrate").addEventListener("click", calibrate);
$("#measure").addEventListener("click", measure);
document.addEventListener("keydown", (event) => {
  if (busy(event)) return;
  if (event.key === "c") calibrate();
  else if (event.key === "m") measure();
});
try {
  const words = sessionStorage.getItem("calibrated");
  sessionStorage.removeItem("calibrated");
  if (words) toast(words);
} catch { /* no word, then */ }
gaps();
(async () => {
  await evaluation();
  const { calibrate: one, evaluate: two } = await call("/api/quality/progress").catch(() => ({}));
  if (one?.running) { show("calibrate", one); watch("calibrate", calibrated); }
  if (two?.running) { show("evaluate", two); watch("evaluate", evaluation); }
  else if (!two && $(".quality").dataset.atOnce === "yes") measure();
})();
