// All photos that pass the filters, in order, as /api/timeline lists them: their ids and shapes at once, and what else is
// known of them when somebody looks.

const MOST_FACTS = 3000; // about 2 MB
const BATCH = 120; // photos a request: three screens of a desk
const AT_ONCE = 2; // requests

/**
 * What is known of photos, asked for when wanted and kept while there is room. `askFor(ids, signal)` gives the items of
 * these photos, without those that are gone; `came()` is called after each answer, `failed(error)` when there is none.
 */
export class FactsCache {
  /**
   * @param {(ids: number[], signal: AbortSignal) => Promise<import("./photolist.js").Facts[]>} askFor
   * @param {() => void} came
   * @param {(error: any) => void} [failed]
   */
  constructor(askFor, came, failed = () => {}) {
    this.askFor = askFor;
    this.came = came;
    this.failed = failed;
    /** @type {Map<number, import("./photolist.js").Facts>} */
    this.facts = new Map(); // the latest used last
    /** @type {Set<{ids: Set<number>, stop: AbortController}>} */
    this.asking = new Set();
    /** @type {number[]} */
    this.wanted = [];
    this.gone = new Set(); // photos that the server does not have any more
  }

  get(photo) {
    return this.facts.get(photo) ?? null;
  }

  /** Keep what is known of photos, and let the longest unused go. */
  keep(items) {
    for (const item of items) {
      this.facts.delete(item.photo);
      this.facts.set(item.photo, item);
    }
    for (const photo of this.facts.keys()) {
      if (this.facts.size <= MOST_FACTS) break;
      this.facts.delete(photo);
    }
  }

  /** Ask for these photos; what was asked for others alone is not waited for any more. */
  want(photos) {
    const wanted = new Set(photos);
    for (const one of this.asking) {
      if ([...one.ids].some((photo) => wanted.has(photo))) continue;
      one.stop.abort();
      this.asking.delete(one);
    }
    const isOnItsWay = (photo) => [...this.asking].some((one) => one.ids.has(photo));
    this.wanted = photos.filter((photo) => !this.facts.has(photo) && !this.gone.has(photo) && !isOnItsWay(photo));
    this.keep(photos.filter((photo) => this.facts.has(photo)).map((photo) => this.facts.get(photo)));
    this.next();
  }

  next() {
    while (this.wanted.length && this.asking.size < AT_ONCE) this.ask(this.wanted.splice(0, BATCH));
  }

  async ask(photos) {
    const mine = { ids: new Set(photos), stop: new AbortController() };
    this.asking.add(mine);
    try {
      const items = await this.askFor(photos, mine.stop.signal);
      this.keep(items);
      const there = new Set(items.map((item) => item.photo));
      for (const photo of photos) if (!there.has(photo)) this.gone.add(photo);
      this.came();
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error);
    } finally {
      this.asking.delete(mine);
      this.next();
    }
  }

  /** Photos have changed: all is asked anew. */
  clear() {
    this.facts.clear();
    this.gone.clear();
  }
}

/**
 * The photos of an answer of /api/timeline.
 * @param {{photos: number, ids: number[], ratios: number[]}} answer
 * @param {FactsCache} cache
 * @returns {import("./photolist.js").PhotoList}
 */
export function timelineList({ photos, ids, ratios }, cache) {
  return {
    length: ids.length,
    total: photos,
    photoAt: (at) => ids[at],
    indexOf: (photo) => ids.indexOf(Number(photo)),
    ratioAt: (at) => ratios[at] / 100,
    factsAt: (at) => cache.get(ids[at]),
    want: (first, last) => cache.want(ids.slice(Math.max(0, first), last + 1)),
  };
}
