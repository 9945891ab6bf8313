// Talking to the review: every request is signed with the page's token and the tab's name.
const token = document.querySelector('meta[name="page-token"]').content;

export const tab = (() => {
  try {
    let mine = sessionStorage.getItem("tab");
    // A tab that was duplicated has the other's storage with it: it is another tab all the same.
    const [entry] = performance.getEntriesByType("navigation");
    if (!mine || entry?.type === "navigate" && !document.referrer.startsWith(location.origin)) {
      mine = crypto.getRandomValues(new Uint32Array(2)).join("-");
      sessionStorage.setItem("tab", mine);
    }
    return mine;
  } catch {
    return crypto.getRandomValues(new Uint32Array(2)).join("-");
  }
})();

export class Failure extends Error {
  constructor(status, words, who) {
    super(words);
    this.status = status; // 0: the server does not answer
    this.who = who;
  }
}

// fetch, with JSON in and out; throws a Failure in words.
export async function call(path, { method = "GET", body, form, signal, keepalive } = {}) {
  const headers = { "X-Resight-Page": token, "X-Resight-Tab": tab, Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      signal,
      keepalive,
      body: form ?? (body === undefined ? undefined : JSON.stringify(body)),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "The review does not answer. Is it still running?");
  }
  const text = await response.text();
  let told = null;
  try { told = JSON.parse(text); } catch { /* words */ }
  if (response.ok) return told;
  throw new Failure(response.status, told?.error ?? inWords(told) ?? (text || response.statusText), told?.who);
}

function inWords(told) {
  if (!Array.isArray(told?.detail)) return null;
  return told.detail.map((one) => `${one.loc.at(-1)}: ${one.msg}`).join("; ");
}

export const post = (path, body, more = {}) => call(path, { method: "POST", body, ...more });

export const pictureOf = (photo, size) => `/pictures/${photo.id}/${size}?v=${photo.version}`;
