// Photos come in: dropped anywhere on the page, or chosen; each is sent by itself.
import { Failure, call } from "./api.js";
import { $, counted, toast } from "./dom.js";

const KINDS = /\.(jpe?g|jpe|jfif|png|tiff?|webp|gif|bmp|p[gpb]m|jp2|avif|hei[cf]|hif|wav|flac|mp3|og[ga]|opus|aiff?)$/i;
const AT_ONCE = 2;
let refresh = () => {};
let chosen = [];

export function takePhotos(onadded) {
  refresh = onadded;
  let depth = 0;
  const over = $("#dropping");
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => {
    if (hasFiles(event)) { depth += 1; over.hidden = false; event.preventDefault(); }
  });
  addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener("dragleave", (event) => {
    if (hasFiles(event) && (depth -= 1) <= 0) { depth = 0; over.hidden = true; }
  });
  addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    over.hidden = true;
    offer(await dropped(event.dataTransfer));
  });
  const input = $("#files");
  for (const button of [$("#add"), $("#add-first")]) button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => { offer([...input.files]); input.value = ""; });
  $("#add-form").addEventListener("submit", () => {
    const one = $('[name="kind"][value="one"]').checked;
    addAll(chosen, one ? $("#add-encounter").value.trim() || now() : "", $("#add-side").value.trim());
  });
}

// The files of a drop, those of folders included.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = [...transfer.files];
  const found = [];
  const walk = async (entry) => {
    if (entry.isFile) found.push(await new Promise((done, no) => entry.file(done, no)));
    else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((done, no) => reader.readEntries(done, no));
        if (!some.length) break;
        for (const one of some) await walk(one);
      }
    }
  };
  for (const entry of entries) await walk(entry);
  return found.length ? found : files;
}

function offer(files) {
  chosen = files.filter((file) => file.type.startsWith("image/") || KINDS.test(file.name));
  const others = files.length - chosen.length;
  if (!chosen.length) {
    if (files.length) toast("There is no photo among these files.", { kind: "bad" });
    return;
  }
  $("#add-title").textContent = `Add ${counted(chosen.length, "photo")}` +
    (others ? ` (${counted(others, "other file")} left out)` : "");
  $("#add-encounter").value = now();
  if (chosen.length === 1) { addAll(chosen, "", ""); return; }
  $("#add-dialog").showModal();
  $("#add-send").focus();
}

function now() {
  const at = new Date();
  return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16).replace("T", " ");
}

async function addAll(files, encounter, side) {
  const total = { added: 0, already: 0, junk: 0 };
  const refused = [];
  const todo = [...files];
  let done = 0;
  const progress = $("#saving");
  const one = async () => {
    while (todo.length) {
      const file = todo.shift();
      const form = new FormData();
      form.append("files", file);
      if (encounter) form.append("encounter", encounter);
      if (side) form.append("side", side);
      try {
        const came = await call("/api/photos", { method: "POST", form });
        for (const key of Object.keys(total)) total[key] += came[key];
        for (const no of came.refused) refused.push(`${no.file}: ${no.reason}`);
        if (came.added) refresh();
      } catch (error) {
        refused.push(`${file.name}: ${error.message}`);
        if (error instanceof Failure && error.status === 0) todo.length = 0;
      }
      done += 1;
      progress.hidden = false;
      progress.textContent = `Adding ${done} of ${files.length}`;
    }
  };
  progress.hidden = false;
  progress.textContent = `Adding ${counted(files.length, "photo")}`;
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  progress.hidden = true;
  const words = [`Added ${counted(total.added, "photo")}`];
  if (total.already) words.push(`${total.already} there already`);
  if (total.junk) words.push(`${total.junk} known as junk`);
  toast(words.join(", "));
  if (refused.length) {
    const more = refused.length > 3 ? ` and ${refused.length - 3} more` : "";
    toast(`Not added: ${refused.slice(0, 3).join("; ")}${more}`, { kind: "bad" });
  }
  refresh();
}
