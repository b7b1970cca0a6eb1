// How often the page asks how the library is: often while a run is on or somebody is there, seldom else.

const RUNNING_MS = 1000;
const SHORTEST_MS = 2000;
const LONGEST_MS = 30_000;
const SLOWER = 1.5; // each wait is so much longer than the one before, while nothing happens

/**
 * @param {object} given
 * @param {() => void} given.look asks; calls `later()` when it is done
 * @param {() => boolean} given.isRunning whether a run is on
 * @param {() => boolean} given.isHidden whether nobody sees the page; then nothing is asked
 * @param {{setTimeout: Function, clearTimeout: Function, now: () => number}} given.clock
 */
export function pace({ look, isRunning, isHidden, clock }) {
  let wait = SHORTEST_MS; // until the next look, while no run is on
  let timer = null;
  let last = -Infinity; // when it was looked
  let due = Infinity; // when it will be

  function stop() {
    clock.clearTimeout(timer);
    timer = null;
  }

  function lookIn(ms) {
    stop();
    due = clock.now() + ms;
    timer = clock.setTimeout(lookNow, ms);
  }

  function lookNow() {
    stop();
    look();
  }

  return {
    /** Do not look by itself, as somebody asks just now. */
    stop,

    /** Look again after a while. `changed`: something was new this time. */
    later(changed = false) {
      stop();
      last = clock.now();
      if (isHidden()) return;
      if (changed) wait = SHORTEST_MS;
      lookIn(isRunning() ? RUNNING_MS : wait);
      wait = Math.min(wait * SLOWER, LONGEST_MS);
    },

    /** Somebody is at the page. */
    wake() {
      wait = SHORTEST_MS;
      const soonest = Math.max(last + SHORTEST_MS, clock.now());
      if (timer !== null && due > soonest) lookIn(soonest - clock.now());
    },

    /** The page is seen again, or not any more. */
    seen() {
      wait = SHORTEST_MS;
      if (isHidden()) stop();
      else lookNow();
    },
  };
}
