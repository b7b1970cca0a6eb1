// Folders and ratings as filters.

import assert from "node:assert/strict";
import { test } from "node:test";
import { childrenOf, holds, lastPart } from "../../server/page/js/state/folders.js";
import { atLeast, stars } from "../../server/page/js/state/ratings.js";

const FOLDERS = [
  { value: "holiday", photos: 8, depth: 0, parent: null },
  { value: "holiday/2021", photos: 5, depth: 1, parent: 0 },
  { value: "holiday/2021/beach", photos: 2, depth: 2, parent: 1 },
  { value: "work", photos: 1, depth: 0, parent: null },
];

test("folders know what is in them", () => {
  assert.deepEqual([...childrenOf(FOLDERS)], [[null, [0, 3]], [0, [1]], [1, [2]]]);
  assert.deepEqual(FOLDERS.map((folder) => lastPart(folder, FOLDERS)), ["holiday", "2021", "beach", "work"]);
  assert.deepEqual([holds("holiday", "holiday/2021"), holds("holi", "holiday/2021"), holds("work", "work")], [true, false, false]);
});

test("folders of a folder are in the order of their names", () => {
  const folders = ["trip 10", "trip 2", "Album"].map((value) => ({ value, photos: 1, depth: 0, parent: null }));
  assert.deepEqual(childrenOf(folders).get(null), [2, 1, 0]);
});

test("a list without parents is flat", () => {
  const flat = [{ value: "a", photos: 1 }, { value: "a/b", photos: 1 }];
  assert.deepEqual([...childrenOf(flat)], [[null, [0, 1]]]);
  assert.deepEqual(flat.map((folder) => lastPart(folder, flat)), ["a", "a/b"]);
});

test("at least four stars are those of four and five", () => {
  assert.deepEqual(atLeast([9, 1, 0, 0, 3, 2]).map(({ value, photos }) => [value, photos]), [
    ["5", 2], ["4+", 5], ["3+", 5], ["2+", 5], ["1+", 6], ["0", 9],
  ]);
});

test("ratings in words", () => {
  assert.deepEqual(["5", "1+", "1", "0", "0+", "nine"].map(stars), ["5 stars", "1 star or more", "1 star", "not rated", "any rating", "nine"]);
});
