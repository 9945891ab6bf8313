// Small helpers to build pages with: text is always set as text, so names need no escaping.
export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// make("button.primary", {onclick}, "Same", child, …)
export function make(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-") && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const counted = (count, thing) =>
  `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;

export function day(text) {
  if (!text) return "";
  return new Date(text).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

// What an answer's figures rest on; without a calibration they are distances, and no probabilities.
export const basis = (answer) => answer.calibrated || !answer.candidates.length ? [answer.basis]
  : ["Distances go from 0, alike, to 2. ", make("a", { href: "/quality" }, "Calibrate"), " to have probabilities."];

// A word at the foot of the page; with an action, it stays a little longer.
export function toast(words, { action, onaction, kind = "", seconds } = {}) {
  const box = make(`div.toast${kind ? "." + kind : ""}`, {}, make("span", {}, words));
  const gone = () => { box.classList.add("going"); setTimeout(() => box.remove(), 200); };
  if (action) box.append(make("button.link", { type: "button", onclick: () => { gone(); onaction(); } }, action));
  if (kind === "bad") box.append(make("button.link", { type: "button", "aria-label": "Close", onclick: gone }, "✕"));
  const toasts = $("#toasts");
  // What went well is told of the last only; what went wrong stays until it is read.
  if (kind !== "bad") for (const old of $$(".toast:not(.bad)", toasts)) old.remove();
  toasts.append(box);
  while (toasts.children.length > 4) toasts.firstChild.remove();
  setTimeout(gone, 1000 * (seconds ?? (kind === "bad" ? 12 : action ? 6 : 4)));
  return gone;
}

// Whether keys are meant for a field, a dialog or the browser, and not for the page.
export const busy = (event) =>
  event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey ||
  document.querySelector("dialog[open]") !== null ||
  event.target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]") !== null;
