// How many photos there are, in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "../../server/page/js/state/search.js";
import { countOf } from "../../server/page/js/state/tiers.js";

const hits = (tiers) => tiers.split("").map((letter) => ({ tier: { l: "likely", p: "perhaps", u: "unlikely" }[letter] }));
const answer = (tiers, n_matching, more = {}) => ({ query: "dog", gallery: 348, passing: 133, next: null, dates: null, hits: hits(tiers), n_matching, ...more });
const dog = read("?q=dog");

test("all photos of a folder", () => {
  assert.equal(countOf({ photos: 133, sections: [] }, read("?path=holiday")), "133 photos");
  assert.equal(countOf({ photos: 0, sections: [] }, read("")), "");
});

test("of a query, those of the folder that match", () => {
  assert.equal(countOf(answer("llpuu", 2), dog), "2 of 133 photos match well, 1 perhaps");
  assert.equal(countOf(answer("luu", 1), dog), "1 of 133 photos matches well");
  assert.equal(countOf(answer("ppu", 2), dog), "2 of 133 photos perhaps match");
  assert.equal(countOf(answer("uu", 0), dog), "None of 133 photos matches well");
});

test("what is not known yet is not said", () => {
  assert.equal(countOf(answer("ll", 2, { next: "more" }), dog), "At least 2 of 133 photos match well");
  assert.equal(countOf(answer("lp", 1, { next: "more" }), dog), "1 of 133 photos matches well");
  assert.equal(countOf(answer("ll", null, { next: "more" }), dog), "133 photos, the best first");
});

test("words that are a date alone are no query", () => {
  const dates = { used: true, words: "june 2023" };
  assert.equal(countOf(answer("uu", null, { query: "", dates, passing: 1 }), read("?q=june+2023")), "1 photo");
});
