// The queries that were searched for last, kept by this browser alone: never sent anywhere but as a search.

const KEPT = "twobranch-recent"; // in localStorage: a list of texts, the latest first
const OFF = "twobranch-recent-off"; // there when nobody wants them kept
const MOST = 20;

/** The recent queries in a `storage` such as localStorage; null where the browser gives none. */
export function openRecent(/** @type {Pick<Storage, "getItem" | "setItem" | "removeItem"> | null} */ storage) {
  /** @returns {string[]} */
  function read() {
    try {
      const kept = JSON.parse(storage?.getItem(KEPT) ?? "[]");
      return Array.isArray(kept) ? kept.filter((one) => typeof one === "string") : [];
    } catch {
      return []; // whatever it is, it is not ours
    }
  }

  /** A browser may refuse: in private use, or when its storage is full. */
  function attempt(doing) {
    try {
      doing();
    } catch {
      // then they are not kept
    }
  }

  return {
    get isOn() {
      try {
        return storage !== null && storage.getItem(OFF) === null;
      } catch {
        return false;
      }
    },
    /** Those that begin with a text, whatever the case; the latest first. */
    like(/** @type {string} */ text, most = 5) {
      const wanted = folded(text);
      return read().filter((one) => folded(one).startsWith(wanted) && folded(one) !== wanted).slice(0, most);
    },
    keep(/** @type {string} */ query) {
      const text = query.trim();
      if (!text || !this.isOn) return;
      const others = read().filter((one) => folded(one) !== folded(text));
      attempt(() => storage.setItem(KEPT, JSON.stringify([text, ...others].slice(0, MOST))));
    },
    forget() {
      attempt(() => storage.removeItem(KEPT));
    },
    /** Keep them from now on, or forget them and keep none. */
    turn(/** @type {boolean} */ on) {
      attempt(() => (on ? storage.removeItem(OFF) : storage.setItem(OFF, "1")));
      if (!on) this.forget();
    },
  };
}

const folded = (text) => text.trim().toLocaleLowerCase();
