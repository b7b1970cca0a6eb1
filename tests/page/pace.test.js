// How often the page looks at the library.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pace } from "../../server/page/js/views/indexing/pace.js";
import { testClock } from "./clock.js";

/** A page that has just looked for the first time, and the times of its looks. */
function page() {
  const clock = testClock();
  const its = { looks: [], running: false, hidden: false, changed: false };
  const looking = pace({
    look() {
      its.looks.push(clock.now());
      looking.later(its.changed);
    },
    isRunning: () => its.running,
    isHidden: () => its.hidden,
    clock,
  });
  looking.later();
  return { its, clock, looking };
}

test("where nothing happens it looks ever more seldom", async () => {
  const { its, clock } = page();
  await clock.pass(10 * 60_000);
  // 2 s, and each wait half as long again: 3, 4.5, 6.75 …
  assert.deepEqual(its.looks.slice(0, 4), [2000, 5000, 9500, 16_250]);
  const [last, before] = [its.looks.at(-1), its.looks.at(-2)];
  assert.equal(last - before, 30_000);
  assert.ok(its.looks.length < 30, `${its.looks.length}`); // every 2 s would be 300
});

test("a run is looked at every second", async () => {
  const { its, clock } = page();
  await clock.pass(60_000);
  its.running = true;
  await clock.pass(30_000); // in which the next look comes
  const before = its.looks.length;
  await clock.pass(10_000);
  assert.equal(its.looks.length - before, 10);
});

test("when something was new it looks again soon", async () => {
  const { its, clock } = page();
  await clock.pass(60_000);
  its.changed = true;
  await clock.pass(30_000);
  const before = its.looks.length;
  await clock.pass(10_000);
  assert.equal(its.looks.length - before, 5);
});

test("somebody at the page is told at once, but not at each move", async () => {
  const { its, clock, looking } = page();
  await clock.pass(120_000);
  const before = its.looks.length; // the last one at 94.3 s, the next one at 124.3
  for (let move = 0; move < 50; move++) looking.wake();
  await clock.pass(1);
  const now = 120_000;
  assert.deepEqual(its.looks.slice(before), [now]);
  for (let second = 0; second < 10; second++) {
    looking.wake();
    await clock.pass(1000);
  }
  assert.equal(its.looks.at(-1) - now, 10_000); // every two seconds as long as somebody is there
  assert.equal(its.looks.filter((at) => at > now).length, 5);
});

test("a hidden page does not look, and at once when it is seen", async () => {
  const { its, clock, looking } = page();
  await clock.pass(3000);
  its.hidden = true;
  looking.seen();
  const before = its.looks.length;
  await clock.pass(3_600_000);
  looking.wake();
  assert.equal(its.looks.length, before);
  its.hidden = false;
  looking.seen();
  assert.deepEqual(its.looks.slice(before), [3_603_000]);
});

test("who looks by hand is not disturbed", async () => {
  const { its, clock, looking } = page();
  looking.stop();
  await clock.pass(60_000);
  looking.wake();
  assert.deepEqual(its.looks, []);
});
