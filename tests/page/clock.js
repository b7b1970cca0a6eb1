// A clock that a test moves on.

/** What is waited for runs in its order as `pass(ms)` goes by; `pass` also waits for what it begins. */
export function testClock() {
  const timers = new Map();
  let time = 0;
  let ids = 0;

  return {
    now: () => time,
    setTimeout(work, ms) {
      timers.set(++ids, { work, at: time + ms });
      return ids;
    },
    clearTimeout: (id) => timers.delete(id),
    /** How many timers there are. */
    get waiting() {
      return timers.size;
    },
    async pass(ms) {
      const end = time + ms;
      for (;;) {
        const [id, next] = [...timers].sort(([, one], [, other]) => one.at - other.at)[0] ?? [null, null];
        if (!next || next.at > end) break;
        timers.delete(id);
        time = next.at;
        next.work();
        await new Promise(setImmediate);
      }
      time = end;
      await new Promise(setImmediate);
    },
  };
}
