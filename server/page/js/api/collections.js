// Marks, albums and kept searches of the server.

import { ask } from "./client.js";

/** @typedef {{id: number, name: string, photos: number, cover: number | null, created_at: string}} Album */
/** @typedef {{id: number, name: string, query: string, created_at: string}} SavedSearch */

const MOST = 5000; // photos in one request
const MOST_FACTS = 500; // the same where their facts are asked for

/** Parts of a list that are short enough for one request. */
export function parts(/** @type {number[]} */ ids, most = MOST) {
  return Array.from({ length: Math.ceil(ids.length / most) }, (_, at) => ids.slice(at * most, (at + 1) * most));
}

/** Ask with a body of JSON. */
const send = (method, address, body) =>
  ask(address, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/**
 * The albums, how many photos have no rating, one star and so on, and how many are favourites.
 * @returns {Promise<{albums: Album[], ratings: number[], favourites: number}>}
 */
export const collections = () => ask("api/albums");

export const albums = async () => (await collections()).albums;

/** Make an album of these photos. @returns {Promise<Album>} */
export async function createAlbum(name, ids = []) {
  const [first = [], ...rest] = parts(ids);
  let album = await send("POST", "api/albums", { name, photos: first });
  for (const part of rest) album = await send("POST", `api/albums/${album.id}/photos`, { photos: part });
  return album;
}

export const renameAlbum = (id, name) => send("PATCH", `api/albums/${id}`, { name });
export const deleteAlbum = (id) => ask(`api/albums/${id}`, { method: "DELETE" });
export const addToAlbum = (id, ids) => change("POST", id, ids);
export const removeFromAlbum = (id, ids) => change("DELETE", id, ids);

async function change(method, id, ids) {
  let album = null;
  for (const part of parts(ids)) album = await send(method, `api/albums/${id}/photos`, { photos: part });
  return album;
}

/** Rate photos (1 to 5, 0 for no rating) or make them favourites; how many changed. */
export async function mark(ids, /** @type {{rating?: number, favourite?: boolean}} */ marks) {
  let changed = 0;
  for (const part of parts(ids)) changed += (await send("PATCH", "api/photos", { photos: part, ...marks })).changed;
  return changed;
}

/** @returns {Promise<SavedSearch[]>} */
export const searches = async () => (await ask("api/searches")).searches;
export const saveSearch = (name, query) => send("POST", "api/searches", { name, query });
export const renameSearch = (id, name) => send("PATCH", `api/searches/${id}`, { name });
export const deleteSearch = (id) => ask(`api/searches/${id}`, { method: "DELETE" });

/** The facts of photos, as many as the library still has. @returns {Promise<{photo: number, path: string}[]>} */
export async function factsOfAll(ids) {
  const all = [];
  for (const part of parts(ids, MOST_FACTS)) {
    const asked = new URLSearchParams(part.map((id) => ["id", String(id)]));
    all.push(...(await ask(`api/photos?${asked}`)).photos);
  }
  return all;
}

/** @typedef {{kind: string, label: string, photos: number | null, filter: Record<string, string>}} Suggestion */

/** What a text may be the beginning of. @returns {Promise<Suggestion[]>} */
export async function suggest(q, limit, signal) {
  return (await ask(`api/suggest?${new URLSearchParams({ q, limit })}`, { signal })).suggestions;
}
