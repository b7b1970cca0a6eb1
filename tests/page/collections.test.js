// What is asked of the server for many photos.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { createAlbum, factsOfAll, mark, parts } from "../../server/page/js/api/collections.js";

let asked;
const honest = globalThis.fetch;

beforeEach(() => {
  asked = [];
  globalThis.fetch = async (address, { method = "GET", body } = {}) => {
    asked.push([method, address, body && JSON.parse(body)]);
    const ids = new URLSearchParams(String(address).split("?")[1]).getAll("id");
    const photos = ids.map((id) => ({ photo: Number(id), path: `/photos/${id}.jpg` }));
    return new Response(JSON.stringify({ id: 3, name: "Sea", changed: 2, photos }));
  };
});
afterEach(() => (globalThis.fetch = honest));

test("long lists go in several requests", () => {
  assert.deepEqual(parts([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]]);
  assert.deepEqual(parts([], 2), []);
});

test("marks of 5,001 photos are two requests", async () => {
  const ids = Array.from({ length: 5001 }, (_, at) => at + 1);
  assert.equal(await mark(ids, { rating: 4 }), 4); // the server says 2 to each
  assert.deepEqual(asked.map(([method, address, body]) => [method, address, body.photos.length, body.rating]), [
    ["PATCH", "api/photos", 5000, 4],
    ["PATCH", "api/photos", 1, 4],
  ]);
});

test("an album of 5,001 photos is made with the first and gets the rest", async () => {
  await createAlbum("Sea", Array.from({ length: 5001 }, (_, at) => at + 1));
  assert.deepEqual(asked.map(([method, address, body]) => [method, address, body.name, body.photos.length]), [
    ["POST", "api/albums", "Sea", 5000],
    ["POST", "api/albums/3/photos", undefined, 1],
  ]);
});

test("facts of 501 photos are two requests", async () => {
  const photos = await factsOfAll(Array.from({ length: 501 }, (_, at) => at + 1));
  assert.deepEqual([photos.length, photos[500].path, asked.length], [501, "/photos/501.jpg", 2]);
});
