// Photos that are added: which files of a drop, and how many in a request.

import assert from "node:assert/strict";
import { test } from "node:test";
import { batches } from "../../server/page/js/api/start.js";
import { filesOf, isMany, picturesOf } from "../../server/page/js/views/start/dropped.js";

const file = (name) => ({ kind: "file", webkitGetAsEntry: () => ({ name, isFile: true, file: (resolve) => resolve({ name }) }) });

/** An entry of a folder, whose reader gives one at a time, as browsers give a hundred. */
function folder(name, entries) {
  return {
    name,
    isFile: false,
    isDirectory: true,
    createReader() {
      const left = [...entries];
      return { readEntries: (resolve) => resolve(left.splice(0, 1)) };
    },
  };
}

test("a folder is read with the folders in it, hidden ones left out", async () => {
  const entry = (name) => file(name).webkitGetAsEntry();
  const holiday = folder("holiday", [entry("a.jpg"), folder("beach", [entry("b.jpg")]), entry(".DS_Store"), folder(".git", [entry("c")])]);
  const data = { files: [], items: [file("first.png"), { kind: "file", webkitGetAsEntry: () => holiday }] };
  assert.deepEqual((await filesOf(data)).map(({ name }) => name), ["first.png", "a.jpg", "b.jpg"]);
  assert.equal(isMany(data), true);
});

test("one file is not many, and two are", () => {
  assert.equal(isMany({ files: [1], items: [file("a.jpg")] }), false);
  assert.equal(isMany({ files: [1, 2], items: [file("a.jpg"), file("b.jpg")] }), true);
});

test("files that come without entries are taken as they are", async () => {
  assert.deepEqual(await filesOf({ files: ["a", "b"], items: [{ kind: "file", webkitGetAsEntry: () => null }] }), ["a", "b"]);
});

test("photos are told by their type, or by their name where the browser knows no type", () => {
  const files = [
    { name: "a.jpg", type: "image/jpeg" },
    { name: "b.HEIC", type: "" },
    { name: "notes.txt", type: "text/plain" },
    { name: "c", type: "" },
  ];
  assert.deepEqual(picturesOf(files).map(({ name }) => name), ["a.jpg", "b.HEIC"]);
});

test("a request has at most so many files and bytes", () => {
  const sizes = (lists) => lists.map((list) => list.map(({ size }) => size));
  assert.deepEqual(sizes(batches([5, 5, 1, 9, 12, 1].map((size) => ({ size })), 3, 11)), [[5, 5, 1], [9], [12], [1]]);
  assert.deepEqual(sizes(batches([1, 1, 1].map((size) => ({ size })), 2, 100)), [[1, 1], [1]]);
  assert.deepEqual(batches([]), []);
});
