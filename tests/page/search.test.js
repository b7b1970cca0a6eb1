// The state of the search page in its address.

import assert from "node:assert/strict";
import { test } from "node:test";
import { address, filtersOf, judged, question, read, withoutLast } from "../../server/page/js/state/search.js";

const ADDRESS = "?q=a+cat&in=captions&picture=ab&after=2023&sort=date&photo=7&like=1&like=2&camera=Pixel+7";

test("an address holds the state", () => {
  const state = read(ADDRESS);
  assert.deepEqual([state.q, state.like, state.camera, state.shape], ["a cat", ["1", "2"], ["Pixel 7"], ""]);
  assert.equal(address(state), ADDRESS);
  assert.equal(address(read("?nonsense=1&q=")), ".");
  assert.equal(address(read("?in=films&view=3d&sort=colour&order=up&photo=abc")), "."); // no such choices
});

test("the server is asked for all of it but the photo that is looked at", () => {
  assert.equal(String(question(read(ADDRESS), 50)), `${ADDRESS.slice(1).replace("&photo=7", "")}&top=50`);
  assert.equal(String(filtersOf(read(ADDRESS))), "after=2023&camera=Pixel+7");
});

test("a box is of the first photo that is liked", () => {
  assert.equal(read("?like=7&like=9&box=1,2,30,40").box, "1,2,30,40");
  assert.equal(read("?q=red&box=1,2,30,40").box, "");
  const state = read("?like=7&box=1,2,30,40");
  // All of the photo, not only that part.
  assert.deepEqual(judged(state, "like", "unlike", "7"), { like: ["7"], unlike: [], box: "" });
  assert.deepEqual(judged(state, "like", "unlike", "9"), { like: ["7", "9"], unlike: [] });
});

test("the last chip goes with its box", () => {
  const state = { q: "", picture: "", like: ["7"], unlike: [], box: "1,2,30,40" };
  assert.deepEqual(withoutLast(state), { like: [], box: "", unlike: [] });
});
