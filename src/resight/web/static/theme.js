// Before the page is drawn, so that it does not flash: the reader's own choice, else the system's.
const chosen = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
if (chosen) document.documentElement.dataset.theme = chosen;
