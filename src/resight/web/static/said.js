// What was done is told on the page that comes after it, with its way back.
import { post } from "./api.js";
import { toast } from "./dom.js";

const KEY = "resight-said";
const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

// Go to a page, or load this one again, and say there what was done.
export function thenSay(done, path) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ words: sentence(done.summary), action: done.action }));
  } catch { /* the page shows it anyway */ }
  if (path) location.assign(path); else location.reload();
}

// Take back: the reviewer's last decision, or a certain action.
export async function undo(body = {}, path) {
  try {
    const done = await post("/api/undo", body);
    thenSay({ summary: done.summary, action: null }, path);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

let said = null;
try {
  said = JSON.parse(sessionStorage.getItem(KEY));
  sessionStorage.removeItem(KEY);
} catch { /* nothing to say */ }
if (said) {
  toast(said.words, said.action ? { action: "Undo", onaction: () => undo({ action: said.action }) } : {});
}
