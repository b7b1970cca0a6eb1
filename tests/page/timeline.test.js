// What is known of photos, asked for as one comes to them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FactsCache, timelineList } from "../../server/page/js/state/timeline.js";

/** A server whose answers come when the test says so. */
function serverOf() {
  const requests = [];
  const askFor = (ids, signal) =>
    new Promise((answer, refuse) => {
      signal.addEventListener("abort", () => refuse(Object.assign(new Error("aborted"), { name: "AbortError" })));
      requests.push({ ids, signal, answer: (without = []) => answer(ids.filter((id) => !without.includes(id)).map((photo) => ({ photo }))) });
    });
  return { requests, askFor };
}

const turn = () => new Promise((then) => setImmediate(then));

test("each photo is asked for once", async () => {
  const { requests, askFor } = serverOf();
  let came = 0;
  const cache = new FactsCache(askFor, () => (came += 1));
  const list = timelineList({ photos: 4, ids: [7, 9, 4, 2], ratios: [150, 75, 133, 100] }, cache);
  list.want(0, 1);
  list.want(0, 2);
  assert.deepEqual(requests.map(({ ids }) => ids), [[7, 9], [4]]);
  assert.equal(list.factsAt(0), null);
  requests[0].answer();
  await turn();
  assert.deepEqual([list.factsAt(0), came], [{ photo: 7 }, 1]);
  list.want(0, 2);
  assert.equal(requests.length, 2);
  assert.deepEqual([list.length, list.photoAt(3), list.indexOf("4"), list.indexOf(5), list.ratioAt(1)], [4, 2, 2, -1, 0.75]);
});

test("nobody waits for what flew by", async () => {
  const { requests, askFor } = serverOf();
  const cache = new FactsCache(askFor, () => {});
  cache.want([1, 2]);
  cache.want([2, 3]);
  assert.equal(requests[0].signal.aborted, false); // 2 is still wanted
  cache.want([50]);
  assert.deepEqual(requests.map(({ signal }) => signal.aborted), [true, true, false]);
  cache.want([1]); // back again
  await turn();
  assert.deepEqual(requests.at(-1).ids, [1]);
});

test("many photos are asked for in parts, two at once", async () => {
  const { requests, askFor } = serverOf();
  const cache = new FactsCache(askFor, () => {});
  cache.want(Array.from({ length: 300 }, (_, id) => id + 1));
  assert.deepEqual(requests.map(({ ids }) => ids.length), [120, 120]);
  requests[0].answer();
  await turn();
  assert.deepEqual(requests.map(({ ids }) => ids.length), [120, 120, 60]);
});

test("a photo that is gone is not asked for again and again", async () => {
  const { requests, askFor } = serverOf();
  const cache = new FactsCache(askFor, () => {});
  cache.want([1, 2]);
  requests[0].answer([2]);
  await turn();
  cache.want([1, 2]);
  assert.equal(requests.length, 1);
});

test("memory is bounded: what was not used for longest goes", () => {
  const { askFor } = serverOf();
  const cache = new FactsCache(askFor, () => {});
  cache.keep(Array.from({ length: 3000 }, (_, photo) => ({ photo })));
  cache.want([0, 1]); // used
  cache.keep([{ photo: 5000 }]);
  assert.deepEqual([cache.facts.size, cache.get(0) !== null, cache.get(2)], [3000, true, null]);
});
