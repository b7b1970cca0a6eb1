// A server that goes away and comes back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connection } from "../../server/page/js/api/connection.js";
import { testClock } from "./clock.js";

/** A connection to a server that is away, and what was seen of it. */
function away() {
  const clock = testClock();
  const seen = { probes: [], said: [], answers: false, hidden: false };
  const probe = async () => {
    seen.probes.push(clock.now());
    return seen.answers;
  };
  const its = connection({ probe, isHidden: () => seen.hidden, clock });
  its.listen((isAway) => seen.said.push([clock.now(), isAway]));
  return { its, clock, seen };
}

test("it is asked ever more seldom, and every 30 seconds in the end", async () => {
  const { its, clock, seen } = away();
  its.back();
  await clock.pass(120_000);
  // 500, then 1, 2, 4, 8 and 16 s after that, and from there on 30.
  assert.deepEqual(seen.probes, [500, 1500, 3500, 7500, 15_500, 31_500, 61_500, 91_500]);
  assert.deepEqual(seen.said, [[500, true]]); // once
});

test("all that waited goes on when it is back", async () => {
  const { its, clock, seen } = away();
  const went = [];
  its.back().then(() => went.push("first"));
  its.back().then(() => went.push("second"));
  await clock.pass(2000);
  assert.deepEqual(went, []);
  seen.answers = true;
  await clock.pass(2000);
  assert.deepEqual(went, ["first", "second"]);
  assert.deepEqual(seen.said, [[500, true], [3500, false]]);
  assert.equal(clock.waiting, 0); // nobody asks on
});

test("a request that failed by itself is told to nobody", async () => {
  const { its, clock, seen } = away();
  seen.answers = true;
  await Promise.all([its.back(), clock.pass(500)]);
  assert.deepEqual(seen.said, []);
});

test("who gives up waits no longer", async () => {
  const { its, clock } = away();
  const leaving = new AbortController();
  const waiting = its.back(leaving.signal);
  leaving.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  await assert.rejects(its.back(leaving.signal), { name: "AbortError" });
  await clock.pass(1000);
});

test("a hidden page asks nothing, and at once when it is seen", async () => {
  const { its, clock, seen } = away();
  its.back();
  await clock.pass(4000);
  seen.hidden = true;
  await clock.pass(200_000);
  const before = seen.probes.length;
  its.wake(); // as at a key that a hidden page cannot get
  assert.equal(seen.probes.length, before);
  seen.hidden = false;
  its.wake();
  assert.deepEqual(seen.probes.slice(before), [204_000]);
});

test("a page that was hidden for a moment is not forgotten", async () => {
  const { its, clock, seen } = away();
  its.back();
  await clock.pass(400);
  seen.hidden = true;
  await clock.pass(200); // asked at 500; what comes next is for when it is seen
  seen.hidden = false;
  its.wake();
  await clock.pass(1000);
  assert.deepEqual(seen.probes, [500, 1600]); // a second after it was seen again
});

test("somebody at the page is not made to wait, nor the server asked for each move", async () => {
  const { its, clock, seen } = away();
  its.back();
  await clock.pass(40_000); // the last time at 31.5 s, the next one at 61.5
  for (let move = 0; move < 50; move++) its.wake();
  await clock.pass(100);
  assert.equal(seen.probes.at(-1), 40_000);
  assert.equal(seen.probes.filter((at) => at === 40_000).length, 1);
});

test("while the server is there nothing is asked", async () => {
  const { its, clock, seen } = away();
  its.wake();
  await clock.pass(100_000);
  assert.deepEqual(seen.probes, []);
});
