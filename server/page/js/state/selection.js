// Photos that are chosen, so that something is done with all of them. No document here: Node tests it.

/**
 * A list of photos in the order in which they are shown; 100,000 of them are no trouble.
 * @typedef {ArrayLike<number>} Order
 */

/** No photo chosen yet; `changed()` is called after each change. */
export function openSelection(changed = () => {}) {
  /** @type {Set<number>} */
  let chosen = new Set();
  /** @type {number | null} */
  let anchor = null; // where a range begins: the photo that was chosen or taken away last
  /** @type {number[]} */
  let range = []; // what the last range added: the next one from the same photo replaces it

  function begin(id) {
    anchor = id;
    range = [];
  }

  return {
    get size() {
      return chosen.size;
    },
    get anchor() {
      return anchor;
    },
    has: (/** @type {number} */ id) => chosen.has(id),
    /** The chosen photos in the order of a list; those that are not in it come last. */
    ids(/** @type {Order} */ order = []) {
      const rest = new Set(chosen);
      const ids = [];
      for (let at = 0; at < order.length && rest.size; at++) if (rest.delete(order[at])) ids.push(order[at]);
      return [...ids, ...rest];
    },
    /** Choose a photo, or no longer. */
    toggle(/** @type {number} */ id) {
      if (!chosen.delete(id)) chosen.add(id);
      begin(id);
      changed();
    },
    /** The next range begins at this photo, chosen or not. */
    from(/** @type {number} */ id) {
      if (anchor === null) begin(id);
    },
    /** Choose all from the photo that was chosen last to this one, as file managers do. */
    extend(/** @type {Order} */ order, /** @type {number} */ id) {
      const [start, end] = [anchor, id].map((one) => (one === null ? -1 : Array.prototype.indexOf.call(order, one)));
      if (start < 0 || end < 0) {
        this.toggle(id);
        return;
      }
      for (const one of range) chosen.delete(one);
      range = [];
      for (let at = Math.min(start, end); at <= Math.max(start, end); at++) {
        if (chosen.has(order[at])) continue;
        chosen.add(order[at]);
        range.push(order[at]);
      }
      changed();
    },
    /** Choose all of a list, beside those that are chosen already. */
    all(/** @type {Order} */ order) {
      for (let at = 0; at < order.length; at++) chosen.add(order[at]);
      range = [];
      changed();
    },
    /** Choose no longer what is not in a list: nobody sees it. */
    within(/** @type {Order} */ order) {
      const there = new Set(Array.from(order));
      const gone = [...chosen].filter((id) => !there.has(id));
      for (const id of gone) chosen.delete(id);
      if (gone.length) changed();
    },
    /** Choose none. */
    clear() {
      if (!chosen.size && anchor === null) return;
      chosen = new Set();
      anchor = null;
      range = [];
      changed();
    },
  };
}
