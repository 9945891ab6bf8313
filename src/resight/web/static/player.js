// Recordings can be listened to: a player below the spectrogram, hidden for photos.
export function hear(player, photo) {
  const source = photo?.sound ? `/sounds/${photo.id}?v=${photo.version}` : "";
  player.hidden = !source;
  if (player.getAttribute("src") === (source || null)) return;
  player.pause();
  if (source) player.src = source;
  else if (player.hasAttribute("src")) { player.removeAttribute("src"); player.load(); }
}
