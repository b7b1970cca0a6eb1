// The folders that the server may read, and photos that are added to it.

import { ask } from "./client.js";

/** @typedef {{path: string, parent: string | null, photos: number | null, more: boolean, folders: {name: string, path: string, photos: number | null}[]}} Folder */

/** A folder of the server, with the folders in it; without a path, those where one may begin. @returns {Promise<Folder>} */
export const folders = (path = "") => ask(`api/folders${path ? `?${new URLSearchParams({ path })}` : ""}`);

/** @typedef {{added: {name: string, path: string}[], failed: {name: string, reason: string}[], problem: string | null}} Added */

/** Copy photos into the library; it indexes them by itself. @returns {Promise<Added>} */
export function addPhotos(files, signal) {
  const body = new FormData();
  for (const file of files) body.append("file", file, file.name);
  return ask("api/photos", { method: "POST", body, signal });
}

/** Lists of files that are small enough for one request: at most `most` of at most `bytes` together. */
export function batches(/** @type {{size: number}[]} */ files, most = 20, bytes = 50e6) {
  const all = [];
  let size = 0;
  for (const file of files) {
    const last = all.at(-1);
    if (last && last.length < most && size + file.size <= bytes) {
      last.push(file);
      size += file.size;
    } else {
      all.push([file]);
      size = file.size;
    }
  }
  return all;
}
