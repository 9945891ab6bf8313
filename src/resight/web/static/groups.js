// Proposed groups: press a photo to leave it out, put the name right, confirm.
import { call, pictureOf, post } from "./api.js";
import { $, $$, busy, counted, make, toast } from "./dom.js";

const home = $("#groups");
const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

async function load() {
  try {
    const found = await call("/api/groups");
    $("#why").textContent = found.why.map((why) => `${sentence(why)}.`).join(" ");
    if (!found.current && !found.groups.length) return looking(found.job);
    home.replaceChildren(...found.groups.map(card));
    if (!found.current) {
      home.append(make("p.faint", {}, "Other groups are being looked for; they come when these are decided."));
    } else if (!found.groups.length) {
      home.replaceChildren(make("div.empty", {}, make("h2", {}, "No groups"),
        make("p.faint", {}, found.loners
          ? `${counted(found.loners, "photo")} without a name, and each is near no other. The queue has them.`
          : "Every photo has a name.")));
    } else if (found.total > found.groups.length) {
      home.append(make("p.faint", {}, `The ${found.groups.length} largest of ${found.total} are shown; the next come when these are decided.`));
    }
    $(".group")?.focus({ preventScroll: true });
  } catch (error) {
    home.replaceChildren(make("p.note", {}, error.message));
  }
  home.setAttribute("aria-busy", "false");
}

// What is done meanwhile; asked again and again until there are groups.
function looking(job) {
  const words = job?.running ? job.words : "Looking for groups";
  const share = job?.running && job.share !== null ? `, ${Math.floor(100 * job.share)} %` : "";
  if (!$("progress", home)) {
    home.replaceChildren(make("div.empty", {}, make("progress", { max: 1, "aria-label": "Looking for groups" }), make("p.faint", {})));
  }
  const bar = $("progress", home);
  if (share) bar.value = job.share; else bar.removeAttribute("value");
  $("p", home).textContent = `${words}${share} …`;
  setTimeout(load, 1000);
}

function card(group) {
  const out = new Set();
  let known = group.known;
  const name = make("input", { value: group.name, maxLength: 200, "aria-label": `Name of group ${group.number}`, autocomplete: "off" });
  const kind = make("span.chip");
  const confirm = make("button.primary", { type: "button", onclick: confirmed });
  const apart = make("button", { type: "button", hidden: true, onclick: takenApart });
  const photos = group.photos.map((photo) => {
    const tick = make("span.tick", { "aria-hidden": "true" }, "✓");
    const button = make("button.thumb", {
      type: "button", "aria-pressed": "true", title: photo.file,
      onclick: () => {
        if (out.has(photo.id)) out.delete(photo.id); else out.add(photo.id);
        button.classList.toggle("out", out.has(photo.id));
        button.setAttribute("aria-pressed", !out.has(photo.id));
        tick.textContent = out.has(photo.id) ? "✕" : "✓";
        told();
      },
    }, make("img", { src: pictureOf(photo, 320), alt: photo.file, loading: "lazy" }), tick);
    return button;
  });
  const box = make("section.card.group", { tabIndex: -1, "aria-label": `Group ${group.number}` },
    make("header", {}, name, kind, make("span.spacer"), apart, confirm),
    make("div.photos", {}, photos));
  box.confirm = confirmed;

  const inside = () => group.photos.filter((photo) => !out.has(photo.id)).map((photo) => photo.id);

  function told() {
    kind.textContent = known ? "in the catalogue" : "new";
    kind.className = known ? "chip accent" : "chip warm";
    confirm.textContent = `${known ? "It is" : "New:"} ${name.value.trim() || "…"} (${counted(inside().length, "photo")})`;
    confirm.disabled = !inside().length || !name.value.trim();
    apart.hidden = !out.size || !inside().length;
    apart.textContent = `${counted(out.size, "photo")}: not the same`;
    apart.title = "Say that the photos left out do not show this individual; no group holds them together again";
  }

  name.addEventListener("input", async () => {
    const typed = name.value.trim();
    told();
    if (!typed) return;
    const names = await call(`/api/names?part=${encodeURIComponent(typed)}`).catch(() => []);
    if (name.value.trim() === typed) { known = names.includes(typed); told(); }
  });
  name.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); confirmed(); } });

  async function confirmed() {
    if (confirm.disabled) return;
    confirm.disabled = true;
    try {
      const done = await post("/api/groups/confirm", { photos: inside(), name: name.value.trim(), known });
      const words = `${counted(done.named, "photo")} named ${name.value.trim()}`;
      toast(words, done.action ? { action: "Undo", onaction: () => undo({ action: done.action }) } : {});
      if (done.refused.length) toast(`Not named: ${done.refused.join("; ")}`, { kind: "bad" });
      const following = box.nextElementSibling;
      box.remove();
      if (following?.classList.contains("group")) focus(following);
      if (!$(".group")) load();
    } catch (error) {
      toast(error.message, { kind: "bad" });
      told();
    }
  }

  async function takenApart() {
    try {
      const done = await post("/api/groups/apart", { photos: [...out], other: inside()[0] });
      toast(sentence(done.summary), { action: "Undo", onaction: () => undo({ action: done.action }) });
      load();
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
  }

  told();
  return box;
}

async function undo(body) {
  try {
    const done = await post("/api/undo", body);
    toast(sentence(done.summary));
    load();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

function focus(box) {
  box.focus({ preventScroll: true });
  box.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (busy(event)) return;
  const all = $$(".group");
  const at = all.indexOf(document.activeElement.closest(".group"));
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const there = all[Math.min(all.length - 1, Math.max(0, at + (event.key === "ArrowDown" ? 1 : -1)))];
    if (there) focus(there);
  } else if (event.key === "Enter" && !event.target.closest("button, a") && at >= 0) {
    event.preventDefault();
    all[at].confirm();
  } else if (event.key === "u") undo({});
});
load();
