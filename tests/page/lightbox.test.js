// The pieces of the lightbox that need no document.

import assert from "node:assert/strict";
import { test } from "node:test";
import { optimistic } from "../../server/page/js/components/optimistic.js";
import { makeSlideshow } from "../../server/page/js/components/slideshow.js";
import { around, listOfFacts } from "../../server/page/js/state/photolist.js";
import { placeWords, titleOf } from "../../server/page/js/components/title.js";

test("a title says when and where", () => {
  const facts = { date: "2023-07-04T12:00:00", date_from: "photo", path: "/photos/a.jpg" };
  const paris = { name: "Paris", region: "Ile-de-France", country: "France", km: 2.1 };
  assert.equal(titleOf({ ...facts, place: paris }, null), "4 July 2023, Paris");
  assert.equal(titleOf({ ...facts, place: { ...paris, km: 30 } }, null), "4 July 2023, near Paris");
  assert.equal(titleOf(facts, null), "4 July 2023");
  assert.equal(titleOf(null, { ...facts, place: "Paris, France" }), "4 July 2023, Paris");
  assert.equal(placeWords(paris), "Paris, Ile-de-France, France");
  assert.equal(placeWords({ name: "Singapore", region: "Singapore", country: null }), "Singapore");
});

test("the date of a file is none of the photo", () => {
  const file = { date: "2023-07-04T12:00:00", date_from: "file", path: "C:\\photos\\a.jpg" };
  assert.equal(titleOf(file, null), "a.jpg");
  assert.equal(titleOf({ ...file, place: { name: "Paris", km: 50 } }, null), "Near Paris");
  assert.equal(titleOf(null, null), "Photo");
});

test("a value is shown before it is kept, and taken back when it is not", async () => {
  let drawn = 0;
  const rating = optimistic(2, () => (drawn += 1));
  const kept = rating.set(4, async () => {});
  assert.deepEqual([rating.value, drawn], [4, 1]);
  await kept;
  const refused = rating.set(5, async () => {
    throw new Error("no");
  });
  assert.equal(rating.value, 5);
  await assert.rejects(refused, /no/);
  assert.deepEqual([rating.value, drawn], [4, 3]);
});

test("a value set meanwhile is not taken back, and is sent last", async () => {
  const sent = [];
  const rating = optimistic(0, () => {});
  const first = rating.set(1, async () => {
    sent.push(1);
    throw new Error("no");
  });
  const second = rating.set(3, async () => sent.push(3));
  await assert.rejects(first);
  await second;
  assert.deepEqual([rating.value, sent], [3, [1, 3]]);
});

/** A slideshow of so many photos, with a clock that is moved by hand. */
function show(left) {
  const timers = new Map();
  let steps = 0;
  let id = 0;
  const clock = { setTimeout: (call, ms) => (timers.set(++id, { call, ms }), id), clearTimeout: (its) => timers.delete(its) };
  const its = makeSlideshow({ next: () => (left-- > 0 ? (steps += 1) : false), changed: () => {}, clock });
  const ring = () => {
    const [[key, { call }]] = timers;
    timers.delete(key);
    call();
  };
  return { its, ring, timers, steps: () => steps };
}

test("a slideshow waits for each picture, then four seconds", () => {
  const { its, ring, timers, steps } = show(2);
  its.toggle();
  assert.equal(timers.size, 0);
  its.shown();
  assert.deepEqual([...timers.values()].map(({ ms }) => ms), [4000]);
  ring();
  assert.deepEqual([steps(), timers.size], [1, 0]);
  its.shown();
  its.wait(); // one has gone on by hand meanwhile
  assert.equal(timers.size, 0);
});

test("a slideshow holds while nobody looks, and ends with the last photo", () => {
  const { its, ring, timers } = show(1);
  its.shown();
  its.toggle();
  its.hold(true);
  assert.equal(timers.size, 0);
  its.hold(false);
  ring();
  its.shown();
  assert.ok(its.isOn);
  ring();
  assert.ok(!its.isOn);
  its.toggle();
  its.stop();
  assert.equal(timers.size, 0);
});

test("a photo's place is said without a total that nobody knows", () => {
  const some = [{ photo: 7 }, { photo: 9, content: "b" }].map((one) => ({ path: "", date: null, date_from: null, width: 1, height: 1, content: null, ...one }));
  const { index, total, neighbour } = around(listOfFacts(some, { total: null }), "7");
  assert.deepEqual([index, total, neighbour(1), neighbour(-1)], [0, null, { photo: 9, content: "b" }, null]);
  assert.equal(around(listOfFacts(some), "7").total, 2);
});
