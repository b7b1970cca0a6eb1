// The photo on the whole screen, and controls that go away while nothing moves.

const IDLE_MS = 3000;

/** Full screen for the stage of a lightbox, where the browser has it; `changed()` is called when it begins or ends. */
export function mountScreen(dialog, changed) {
  const stage = () => dialog.querySelector(".stage");
  let idle = 0;

  /** Controls are to be seen, for a while if `mayGo()`. */
  function wake() {
    clearTimeout(idle);
    stage()?.classList.remove("idle");
    idle = setTimeout(() => stage()?.classList.toggle("idle", Boolean(document.fullscreenElement)), IDLE_MS);
  }

  for (const kind of ["pointermove", "pointerdown", "keydown", "focusin"]) dialog.addEventListener(kind, wake, { passive: true });
  document.addEventListener("fullscreenchange", () => {
    wake();
    changed();
  });

  return {
    isPossible: Boolean(document.fullscreenEnabled),
    get isOn() {
      return document.fullscreenElement !== null;
    },
    toggle() {
      if (document.fullscreenElement) document.exitFullscreen();
      else stage()?.requestFullscreen?.().catch(() => {}); // a browser may refuse: then it stays as it is
    },
    leave() {
      if (document.fullscreenElement) document.exitFullscreen();
    },
  };
}
