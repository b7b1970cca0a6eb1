// Photos that follow each other by themselves.

const STAY_MS = 4000;

/**
 * A slideshow that is off. `next()` goes on by one photo, and is false at the end; `changed()` is called when it begins
 * or ends. `clock` has setTimeout and clearTimeout.
 */
export function makeSlideshow({ next, changed, clock = globalThis }) {
  let isOn = false;
  let isHeld = false; // nobody looks
  let isShown = false; // the photo's picture is there
  let timer = 0;

  function count() {
    clock.clearTimeout(timer);
    if (isOn && isShown && !isHeld) timer = clock.setTimeout(goOn, STAY_MS);
  }

  function goOn() {
    isShown = false;
    if (!next()) become(false);
  }

  function become(on) {
    if (on === isOn) return;
    isOn = on;
    count();
    changed();
  }

  return {
    get isOn() {
      return isOn;
    },
    toggle: () => become(!isOn),
    stop: () => become(false),
    /** Another photo is shown, and its picture is not there yet. */
    wait() {
      isShown = false;
      count();
    },
    /** The picture is there, or never will be: from now on it stays its time. */
    shown() {
      isShown = true;
      count();
    },
    /** Hold while nobody looks; then the photo has its whole time again. */
    hold(held) {
      isHeld = held;
      count();
    },
  };
}
