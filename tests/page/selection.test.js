// Which photos are chosen after clicks, ranges and Ctrl-A.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSelection } from "../../server/page/js/state/selection.js";

const ORDER = [50, 40, 30, 20, 10]; // as shown: the newest first

test("a photo is chosen, and chosen no longer", () => {
  let changes = 0;
  const selection = openSelection(() => (changes += 1));
  selection.toggle(30);
  selection.toggle(10);
  selection.toggle(30);
  assert.deepEqual([selection.ids(ORDER), selection.size, selection.has(30), changes], [[10], 1, false, 3]);
});

test("a range goes from the last chosen photo, both ways", () => {
  const selection = openSelection();
  selection.toggle(20);
  selection.extend(ORDER, 40);
  assert.deepEqual(selection.ids(ORDER), [40, 30, 20]);
});

test("the next range from the same photo takes the place of the last", () => {
  const selection = openSelection();
  selection.toggle(50); // chosen by itself: stays whatever the ranges
  selection.toggle(30);
  selection.extend(ORDER, 10);
  selection.extend(ORDER, 40);
  assert.deepEqual(selection.ids(ORDER), [50, 40, 30]);
});

test("without a photo to begin at, a range is one photo", () => {
  const selection = openSelection();
  selection.extend(ORDER, 20);
  assert.deepEqual(selection.ids(ORDER), [20]);
  selection.extend([20, 7], 99); // a photo that is not in the list
  assert.deepEqual(selection.ids(ORDER), [20, 99]);
});

test("a range may begin at the photo that has the focus", () => {
  const selection = openSelection();
  selection.from(40);
  assert.equal(selection.size, 0);
  selection.extend(ORDER, 30);
  selection.from(50); // it has begun
  selection.extend(ORDER, 20);
  assert.deepEqual(selection.ids(ORDER), [40, 30, 20]);
});

test("all and none", () => {
  let changes = 0;
  const selection = openSelection(() => (changes += 1));
  selection.clear(); // nothing to clear, nothing to draw anew
  selection.all(Int32Array.from(ORDER));
  assert.deepEqual([selection.ids(ORDER), changes], [ORDER, 1]);
  selection.clear();
  assert.deepEqual([selection.size, selection.anchor], [0, null]);
});

test("photos of another list come after those of this one", () => {
  const selection = openSelection();
  for (const id of [7, 10, 50]) selection.toggle(id);
  assert.deepEqual(selection.ids(ORDER), [50, 10, 7]);
});

test("photos that have left the list are chosen no longer", () => {
  let changes = 0;
  const selection = openSelection(() => (changes += 1));
  selection.all([50, 40, 30]);
  selection.within([40, 20]);
  selection.within([40]); // as it is
  assert.deepEqual([selection.ids(), changes], [[40], 2]);
});

test("a hundred thousand photos are chosen and listed at once", () => {
  const order = Int32Array.from({ length: 100_000 }, (_, at) => 100_000 - at);
  const selection = openSelection();
  const began = performance.now();
  selection.toggle(100_000);
  selection.extend(order, 1);
  selection.extend(order, 50_000);
  selection.all(order);
  assert.equal(selection.ids(order).length, 100_000);
  const took = performance.now() - began;
  assert.ok(took < 1000, `${took} ms`); // a quadratic way takes a minute
});
