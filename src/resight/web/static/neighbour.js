// By arrow keys through what lies in rows: the next to the side, or the nearest one in the row
// above or below.
export function neighbour(all, at, key) {
  const place = all.indexOf(at);
  if (key === "ArrowLeft" || key === "ArrowRight") return all[place + (key === "ArrowRight" ? 1 : -1)];
  const mine = at.getBoundingClientRect();
  const down = key === "ArrowDown";
  const beyond = (down ? all.slice(place + 1) : all.slice(0, place).reverse());
  let best = null;
  for (const one of beyond) {
    const box = one.getBoundingClientRect();
    if (down ? box.top < mine.bottom - 1 : box.bottom > mine.top + 1) continue;
    const far = Math.abs(box.left - mine.left);
    if (best && Math.abs(box.top - best.top) > 4) break;
    if (!best || far < best.far) best = { one, far, top: box.top };
  }
  return best?.one;
}
