// Ratings, favourites and albums, as the server keeps them.

import { ask } from "./client.js";

const sent = (method, body) => ({ method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** Rate photos (0 clears), or make them favourites or not. */
export const mark = (photos, changes) => ask("api/photos", sent("PATCH", { photos, ...changes }));

export const albums = async () => (await ask("api/albums")).albums;
export const createAlbum = (name, photos = []) => ask("api/albums", sent("POST", { name, photos }));
export const addToAlbum = (id, photos) => ask(`api/albums/${id}/photos`, sent("POST", { photos }));
export const removeFromAlbum = (id, photos) => ask(`api/albums/${id}/photos`, sent("DELETE", { photos }));
