// Where in a list a photo is, and which are beside it.

/**
 * What is asked of a list of photos, in order; `state/photolist.js` has them. `factsAt` is null while the facts are on
 * their way, `total` while nobody knows how many photos will follow.
 * @typedef {{length: number, total: number | null, photoAt: (at: number) => number,
 *   indexOf: (photo: number | string) => number, factsAt: (at: number) => any}} List
 * @typedef {{photo: number, content: string | null}} Neighbour
 */

/** A list of hits that each have a photo.
 * @returns {List}
 */
export function listOf(hits) {
  return {
    length: hits.length,
    total: hits.length,
    photoAt: (at) => hits[at].photo,
    indexOf: (photo) => hits.findIndex((hit) => String(hit.photo) === String(photo)),
    factsAt: (at) => hits[at],
  };
}

/**
 * A photo (its id as text) among those of a list: its own facts there (null if it has none), its place from 0 (-1 if it
 * is not in the list), the number of all, and the photo so many places further (null beyond the ends).
 * @param {List} list
 * @param {string} photo
 */
export function among(list, photo) {
  const index = list.indexOf(photo);
  return {
    hit: index < 0 ? null : (list.factsAt(index) ?? null),
    index,
    total: list.total ?? list.length,
    /** @returns {Neighbour | null} */
    neighbour(by) {
      const at = index + by;
      if (index < 0 || at < 0 || at >= list.length) return null;
      return { photo: list.photoAt(at), content: list.factsAt(at)?.content ?? null };
    },
  };
}
