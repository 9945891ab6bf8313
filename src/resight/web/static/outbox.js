// Decisions on their way: one after the other, kept until the catalogue has them. A crash, a reload
// or a line that is down loses none: what is left behind is sent by whichever page is open next.
import { Failure, post } from "./api.js";

const PREFIX = "resight-decision:";
const waiting = [];
let sending = null;
let onchange = () => {};

export const whenChanged = (told) => { onchange = told; };
export const pending = () => waiting.length;

// Send a decision; gives what the catalogue says of it, or throws its refusal.
export function send(decision) {
  const one = { key: `${PREFIX}${crypto.getRandomValues(new Uint32Array(3)).join("-")}`, made: Date.now(), decision };
  keep(one);
  return new Promise((resolve, reject) => {
    waiting.push({ ...one, resolve, reject });
    onchange();
    sending ??= deliver();
  });
}

// When all that is on its way has arrived.
export const arrived = async () => { if (sending) await sending; };

// What a page that is gone has left behind, and nobody is sending; in the order it was said.
export function leftBehind() {
  const found = [];
  try {
    for (const key of Object.keys(localStorage).filter((one) => one.startsWith(PREFIX))) {
      const one = JSON.parse(localStorage.getItem(key));
      if (Date.now() - one.at < 5000) continue;
      localStorage.removeItem(key);
      found.push(one);
    }
  } catch { /* no storage */ }
  return found.sort((one, other) => one.made - other.made).map((one) => one.decision);
}

async function deliver() {
  while (waiting.length) {
    const { key, decision, resolve, reject } = waiting[0];
    try {
      const done = await post("/api/decisions", decision, { keepalive: true });
      finish(key);
      resolve(done);
    } catch (error) {
      if (error instanceof Failure && error.status !== 0 && error.status < 500) {
        finish(key);
        reject(error);
      } else {
        onchange(error);
        await new Promise((go) => setTimeout(go, 1500));
      }
    }
  }
  sending = null;
}

function finish(key) {
  waiting.shift();
  try { localStorage.removeItem(key); } catch { /* no storage */ }
  onchange();
}

function keep({ key, made, decision }) {
  try { localStorage.setItem(key, JSON.stringify({ at: Date.now(), made, decision })); } catch { /* no storage */ }
}

// They are still ours: nobody else shall take them for left behind.
setInterval(() => { waiting.forEach(keep); }, 1500);

addEventListener("beforeunload", (event) => { if (waiting.length) event.preventDefault(); });
