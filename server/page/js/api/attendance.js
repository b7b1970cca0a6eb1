// Whether somebody is at the page.

/** The clock of the page, as modules take it that are tested with another one. */
export const clock = {
  setTimeout: (work, ms) => setTimeout(work, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => performance.now(),
};

export const isHidden = () => globalThis.document?.hidden ?? false; // none in the tests of modules

/**
 * Calls `wake` when somebody moves, types or comes back to the window, and `seen` when the page is shown or hidden.
 * @param {() => void} wake
 * @param {() => void} [seen]
 */
export function attend(wake, seen = wake) {
  for (const name of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    addEventListener(name, wake, { passive: true, capture: true });
  }
  for (const name of ["focus", "online", "pageshow"]) addEventListener(name, wake);
  document.addEventListener("visibilitychange", seen);
}
