// What every page has: light and dark, who decides, the keys, and the way from page to page.
import { post } from "./api.js";
import { $, busy, toast } from "./dom.js";

const theme = $("#theme");
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* only for now, then */ }
  document.dispatchEvent(new CustomEvent("themechange"));
});

const who = $("#who-dialog");
$("#who").addEventListener("click", () => { who.showModal(); $("#who-input").select(); });
$("#who-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("#who-input").value.trim();
  if (!name) return;
  try {
    const me = await post("/api/me", { name });
    $(".who-name").textContent = me.name;
    $("#who .face").textContent = me.name.slice(0, 1).toUpperCase();
    who.close();
    toast(`Decisions are ${me.name}'s from now on`);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
});

const help = $("#help-dialog");
$("#help").addEventListener("click", () => help.showModal());

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});

const letters = { q: "Queue", p: "Groups", i: "Individuals", m: "Map", d: "Draw", h: "History" };
let going = 0;
document.addEventListener("keydown", (event) => {
  if (busy(event)) return;
  if (Date.now() - going < 1200) {
    going = 0;
    const link = [...document.querySelectorAll("header nav a")]
      .find((a) => a.textContent === (event.key === "u" ? "Quality" : letters[event.key]));
    event.stopImmediatePropagation();
    event.preventDefault();
    if (link) link.click();
    return;
  }
  if (event.key === "g") { going = Date.now(); event.stopImmediatePropagation(); }
  if (event.key === "?") { event.preventDefault(); help.showModal(); }
}, true);
