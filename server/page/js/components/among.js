// Where in a list a photo is, and which are beside it.

/**
 * @typedef {{photo: number, content?: string | null}} Neighbour
 * @typedef {{hit: any, index: number, total: number, neighbour: (by: number) => Neighbour | null}} Around
 *   the photo's own hit (null if it is not in the list), its place from 0 (-1), how many the whole list has, and the
 *   photo so many places further.
 */

/**
 * A photo (its id as text) among hits that each have one.
 * @returns {Around}
 */
export function among(hits, photo) {
  const index = hits.findIndex((hit) => String(hit.photo) === photo);
  return {
    hit: hits[index] ?? null,
    index,
    total: hits.length,
    neighbour: (by) => (index < 0 ? null : (hits[index + by] ?? null)),
  };
}
