// The history: each action's way back.
import { post } from "./api.js";
import { $$, busy, toast } from "./dom.js";

async function undo(body) {
  try {
    await post("/api/undo", body);
    location.reload();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

for (const button of $$("[data-undo]")) {
  button.addEventListener("click", () => undo({ action: Number(button.dataset.undo) }));
}
document.addEventListener("keydown", (event) => {
  if (!busy(event) && event.key === "u") undo({});
});
