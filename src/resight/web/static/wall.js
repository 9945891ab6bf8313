// The wall of faces: search as you type, another order, and more faces as one scrolls.
import { Failure } from "./api.js";
import { $, $$, busy, toast } from "./dom.js";
import { neighbour } from "./neighbour.js";
import "./said.js";

const wall = $("#wall");
const search = $("#search");
const order = $("#order");
const total = $("#total");
let asked = null; // what is being fetched: a newer question ends it
let timer = 0;

const question = () => {
  const words = new URLSearchParams();
  if (search.value.trim()) words.set("part", search.value.trim());
  if (order.value !== "name") words.set("order", order.value);
  return words;
};

async function fetched(words, signal) {
  const response = await fetch(`/individuals/faces?${words}`, { signal }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "The review does not answer. Is it still running?");
  });
  if (!response.ok) throw new Failure(response.status, await response.text());
  const home = document.createElement("template");
  home.innerHTML = await response.text(); // escaped by the server, as the page is
  return home.content;
}

async function renew() {
  asked?.abort();
  const mine = asked = new AbortController();
  const words = question();
  wall.setAttribute("aria-busy", "true");
  history.replaceState(null, "", `${location.pathname}${words.size ? `?${words}` : ""}`);
  try {
    const faces = await fetched(words, mine.signal);
    wall.replaceChildren(faces);
    const count = Number($("[data-of]", wall)?.dataset.of ?? 0);
    const everybody = Number(total.dataset.everybody);
    total.textContent = count === everybody ? count.toLocaleString("en")
      : `${count.toLocaleString("en")} of ${everybody.toLocaleString("en")}`;
    $("#nobody").hidden = count > 0;
    watch();
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, { kind: "bad" });
  }
  if (asked === mine) wall.setAttribute("aria-busy", "false");
}

const seen = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) more();
}, { rootMargin: "1200px" });

function watch() {
  seen.disconnect();
  const last = $(".more", wall);
  if (last) seen.observe(last);
}

let loading = false;
async function more(focus = false) {
  const last = $(".more", wall);
  if (!last || loading) return;
  loading = true;
  const mine = asked;
  const words = question();
  words.set("skip", last.dataset.next);
  try {
    const faces = await fetched(words);
    if (asked === mine && last.isConnected) {
      const first = faces.querySelector("a");
      last.replaceWith(faces);
      if (focus) first?.focus();
    }
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  loading = false;
  watch();
}

wall.addEventListener("click", (event) => { if (event.target.closest(".more button")) more(true); });
search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(renew, 90); });
order.addEventListener("change", renew);
$("#search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("a", wall)?.focus();
});
search.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") { event.preventDefault(); $("a", wall)?.focus(); }
  if (event.key === "Escape" && search.value) { event.preventDefault(); search.value = ""; renew(); }
});

document.addEventListener("keydown", (event) => {
  if (busy(event)) return;
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "s") {
    order.selectedIndex = (order.selectedIndex + 1) % order.options.length;
    renew();
  } else if (event.key.startsWith("Arrow")) {
    const all = $$("a[data-face]", wall);
    const at = document.activeElement.closest?.("a[data-face]");
    const there = at ? neighbour(all, at, event.key) : all[0];
    if (event.key === "ArrowUp" && at && !there) { event.preventDefault(); search.focus(); return; }
    if (!there) return;
    event.preventDefault();
    there.focus({ preventScroll: true });
    there.scrollIntoView({ block: "nearest" });
  }
});
watch();
