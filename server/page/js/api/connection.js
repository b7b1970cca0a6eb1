// Whether the server answers. While it does not, requests wait here, and it is asked until it is back.

const FIRST_MS = 500; // until it is asked for the first time
const LONGEST_MS = 30_000;
const SOONEST_MS = 1000; // between two tries, however busy somebody is at the page

/**
 * @param {object} given
 * @param {() => Promise<boolean>} given.probe whether the server answers
 * @param {() => boolean} given.isHidden whether nobody sees the page; then nothing is asked
 * @param {{setTimeout: Function, clearTimeout: Function, now: () => number}} given.clock
 */
export function connection({ probe, isHidden, clock }) {
  const waiting = new Set(); // what releases each request that waits
  const listeners = new Set();
  let failures = 0; // tries in a row
  let timer = null;
  let asking = false;
  let last = -Infinity; // when it was asked

  function later() {
    clock.clearTimeout(timer);
    timer = isHidden() ? null : clock.setTimeout(attempt, Math.min(FIRST_MS * 2 ** failures, LONGEST_MS));
  }

  async function attempt() {
    if (asking) return;
    clock.clearTimeout(timer);
    timer = null;
    asking = true;
    const answers = await probe();
    asking = false;
    last = clock.now();
    const before = failures;
    failures = answers ? 0 : failures + 1;
    if (Boolean(before) !== Boolean(failures)) for (const listener of listeners) listener(failures > 0);
    if (!answers) later();
    else for (const release of [...waiting]) release();
  }

  return {
    /**
     * Nobody has answered a request: resolves when the server answers again. Rejects with AbortError at `signal`.
     * @param {AbortSignal} [signal]
     * @returns {Promise<void>}
     */
    back(signal) {
      return new Promise((resolve, reject) => {
        const release = () => {
          waiting.delete(release);
          signal?.removeEventListener("abort", leave);
          resolve();
        };
        const leave = () => {
          waiting.delete(release);
          reject(signal.reason);
        };
        if (signal?.aborted) return leave();
        signal?.addEventListener("abort", leave);
        waiting.add(release);
        if (!asking && waiting.size === 1 && !failures) later();
      });
    },

    /** Somebody is at the page, or it is seen again: try at once. */
    wake() {
      if (isHidden() || !(waiting.size || failures)) return;
      if (clock.now() - last >= SOONEST_MS) attempt();
      else if (timer === null) later(); // it was hidden for a moment
    },

    /** Try now, as somebody has asked for it. */
    attempt,

    /**
     * Calls `listener(away)` when the server is found to be away, and when it is back.
     * @param {(away: boolean) => void} listener
     */
    listen(listener) {
      listeners.add(listener);
    },
  };
}
