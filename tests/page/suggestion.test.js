// Suggestions: what choosing one changes, and the queries that were asked before.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openRecent } from "../../server/page/js/state/recent.js";
import { chosen, rest } from "../../server/page/js/state/suggestion.js";

const STATE = { q: "", path: [], camera: [], album: [], place: [] };

for (const [typed, label, left] of [
  ["par", "Paris, France", ""],
  ["dog par", "Paris, France", "dog"],
  ["dog in paris fr", "Paris, France", "dog in"],
  ["fr", "Paris, France", ""],
  ["cat june 2021", "June 2021", "cat"],
  ["cafe", "Café del Mar", ""],
  ["holiday/20", "holiday/2021", ""],
  ["a dog", "Paris, France", "a dog"], // it came for another reason: no word is lost
  ["", "Paris, France", ""],
]) {
  test(`"${typed}" without "${label}" is "${left}"`, () => assert.equal(rest(typed, label), left));
}

test("a place becomes a filter beside those there are", () => {
  const state = { ...STATE, q: "dog par", place: ["Rome, Italy"] };
  const suggestion = { kind: "place", label: "Paris, France", filter: { place: "Paris, France" } };
  assert.deepEqual(chosen(state, suggestion), { q: "dog", place: ["Rome, Italy", "Paris, France"] });
});

test("a month is a span of time", () => {
  const suggestion = { kind: "month", label: "June 2021", filter: { after: "2021-06", before: "2021-07" } };
  assert.deepEqual(chosen({ ...STATE, q: "jun" }, suggestion), { q: "", after: "2021-06", before: "2021-07" });
});

test("a word completes the last one", () => {
  const suggestion = { kind: "word", label: "bicycle", filter: { q: "bicycle" } };
  assert.deepEqual(chosen({ ...STATE, q: "red bic" }, suggestion), { q: "red bicycle" });
});

test("a recent query takes the place of the words", () => {
  assert.deepEqual(chosen({ ...STATE, q: "re" }, { kind: "recent", label: "red car", filter: { q: "red car" } }), { q: "red car" });
});

function storage() {
  const kept = new Map();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
  };
}

test("recent queries, the latest first and each once", () => {
  const recent = openRecent(storage());
  for (const query of ["red car", "dog", "Red Car ", "   "]) recent.keep(query);
  assert.deepEqual(recent.like(""), ["Red Car", "dog"]);
  assert.deepEqual(recent.like("re"), ["Red Car"]);
  assert.deepEqual(recent.like("dog"), []); // it is there already
  recent.forget();
  assert.deepEqual(recent.like(""), []);
});

test("who wants none kept has none", () => {
  const recent = openRecent(storage());
  recent.keep("dog");
  recent.turn(false);
  recent.keep("cat");
  assert.deepEqual([recent.isOn, recent.like("")], [false, []]);
  recent.turn(true);
  recent.keep("cat");
  assert.deepEqual(recent.like(""), ["cat"]);
});

test("at most 20 are kept", () => {
  const recent = openRecent(storage());
  for (let at = 0; at < 25; at++) recent.keep(`query ${at}`);
  const all = recent.like("", 100);
  assert.deepEqual([all.length, all[0], all[19]], [20, "query 24", "query 5"]);
});

test("a browser that gives no storage, or a broken one", () => {
  const refusing = { getItem() { throw new Error("no"); }, setItem() { throw new Error("no"); }, removeItem() { throw new Error("no"); } };
  for (const recent of [openRecent(null), openRecent(refusing)]) {
    recent.keep("dog");
    recent.turn(true);
    assert.deepEqual([recent.isOn, recent.like("")], [false, []]);
  }
  const broken = storage();
  broken.setItem("twobranch-recent", "{");
  assert.deepEqual(openRecent(broken).like(""), []);
});
