// More pixels than an element may have.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TALLEST, TallScroll } from "../../server/page/js/components/tallscroll.js";

test("what fits is scrolled as it is", () => {
  const view = new TallScroll(5_000_000);
  assert.deepEqual(view.moved(4_321_000), { position: 4_321_000, scroll: null });
  assert.equal(view.goTo(77), 77);
  assert.deepEqual([view.element, view.shift], [5_000_000, 0]);
});

test("the scroll bar leads to the same part of the content", () => {
  const view = new TallScroll(4 * TALLEST);
  assert.equal(view.element, TALLEST);
  assert.equal(view.moved(TALLEST / 2).position, 2 * TALLEST); // the middle of both
  assert.equal(view.positionOf(TALLEST - 800), 4 * TALLEST - 800); // the last screen
  for (const position of [0, 99_999, 100_001, 17_000_000, 4 * TALLEST - 5]) {
    assert.ok(Math.abs(view.positionOf(view.scrollOf(position)) - position) < 1e-3);
  }
});

test("small steps are one to one", () => {
  const view = new TallScroll(4 * TALLEST);
  const { position } = view.moved(TALLEST / 2);
  assert.deepEqual(view.moved(TALLEST / 2 + 120), { position: position + 120, scroll: null });
  assert.deepEqual(view.moved(TALLEST / 2 - 300), { position: position - 300, scroll: null });
});

test("whoever scrolls on and on comes to both ends", () => {
  for (const [step, end] of [[-1500, 0], [1500, 4 * TALLEST - 800]]) {
    const view = new TallScroll(4 * TALLEST);
    let scroll = TALLEST / 2;
    let before = view.moved(scroll).position;
    for (let steps = 0; steps < 40_000 && before !== end; steps++) {
      scroll = Math.min(Math.max(scroll + step, 0), view.element - 800); // as the browser does
      const found = view.moved(scroll);
      if (found.scroll !== null) scroll = found.scroll;
      const by = found.position - before;
      // No step is more than was asked for: nothing jumps. (To a pixel: browsers scroll by whole ones.)
      assert.ok(Math.abs(by) <= Math.abs(step) + 1 && by * step >= 0, `${by} at ${found.position}`);
      before = found.position;
    }
    assert.equal(before, end);
  }
});
