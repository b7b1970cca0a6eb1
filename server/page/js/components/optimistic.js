// A value that is shown as changed before the server has said yes.

/**
 * A value to begin with; `changed()` is called when another is to be shown.
 * @template T
 * @param {T} confirmed
 * @param {() => void} changed
 */
export function optimistic(confirmed, changed) {
  let shown = confirmed;
  let latest = 0;
  let sending = Promise.resolve(); // one after the other, so that the last one stays

  return {
    get value() {
      return shown;
    },
    /**
     * Show `next` at once and `send()` it. When that fails, and nothing was set since, the last value that was kept is
     * shown again; the error is thrown.
     * @param {T} next
     * @param {() => Promise<unknown>} send
     */
    async set(next, send) {
      const mine = ++latest;
      shown = next;
      changed();
      const its = sending.then(send);
      sending = its.then(() => {}, () => {});
      try {
        await its;
        confirmed = next;
      } catch (error) {
        if (mine === latest) {
          shown = confirmed;
          changed();
        }
        throw error;
      }
    },
  };
}
