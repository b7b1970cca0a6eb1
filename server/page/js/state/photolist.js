// Photos in an order, as any part of the page sees them: all of a library, hits, or those that captions are about.

/**
 * What is known of a photo: a hit of /api/search or an item of /api/photos.
 * @typedef {{photo: number, path: string, date: string | null, date_from: string | null, width: number | null,
 *   height: number | null, content: string | null, [more: string]: any}} Facts
 *
 * `photoAt(at)` is an id and `indexOf(id)` its position, or -1. `total` is the number of all, null where nobody knows yet;
 * `length` of these are there. `ratioAt(at)` is width / height. `factsAt(at)` is null until they have come, for which
 * `want(first, last)` asks: positions, of which `last` is included.
 * @typedef {{length: number, total: number | null, photoAt: (at: number) => number, indexOf: (photo: number | string) => number,
 *   ratioAt: (at: number) => number, factsAt: (at: number) => Facts | null, want: (first: number, last: number) => void}} PhotoList
 */

/**
 * The list of these facts, each photo once: several captions may be about one, and some about none. They are all unless
 * `total` is said.
 * @param {Facts[]} facts
 * @param {{total?: number | null | undefined, want?: PhotoList["want"]}} [more]
 * @returns {PhotoList}
 */
export function listOfFacts(facts, { total = undefined, want = () => {} } = {}) {
  const first = new Map();
  for (const one of facts) if (one.photo !== null && !first.has(one.photo)) first.set(one.photo, one);
  const all = [...first.values()];
  const places = new Map(all.map((one, at) => [one.photo, at]));
  return {
    length: all.length,
    total: total === undefined ? all.length : total,
    want,
    photoAt: (at) => all[at]?.photo,
    indexOf: (photo) => places.get(Number(photo)) ?? -1,
    ratioAt: (at) => (all[at].width && all[at].height ? all[at].width / all[at].height : 1.5),
    factsAt: (at) => all[at] ?? null,
  };
}

export const NO_PHOTOS = listOfFacts([]);

/**
 * A photo in a list: what is known of it, its position (-1 if it is not in the list), the number of all (null while nobody
 * knows it), and the photo so many steps further, null beyond the ends.
 * @param {PhotoList} list
 */
export function around(list, photo) {
  const index = photo ? list.indexOf(photo) : -1;
  return {
    hit: index < 0 ? null : list.factsAt(index),
    index,
    total: list.total,
    neighbour(by) {
      const at = index + by;
      if (index < 0 || at < 0 || at >= list.length) return null;
      return { photo: list.photoAt(at), content: list.factsAt(at)?.content };
    },
  };
}
