// A photo in a stage, zoomed and moved.

import assert from "node:assert/strict";
import { test } from "node:test";
import { WHOLE, clickScale, frameOf, isOnPhoto, isTooSmall, limited, most, panned, pinched, zoomedAt } from "../../server/page/js/components/zoom.js";

// A photo of 4000 x 2000 in a stage of 1000 x 800: as large as fits it is 1000 x 500, a quarter of its size.
const FRAME = frameOf({ width: 4000, height: 2000 }, { width: 1000, height: 800 }, 1);

/** The point of the whole photo, from its middle, that a zoom shows at a point of the stage. */
const under = (zoom, point) => [(point.x - zoom.x) / zoom.scale, (point.y - zoom.y) / zoom.scale];

function near(one, other) {
  for (const at of one.keys()) assert.ok(Math.abs(one[at] - other[at]) < 1e-9, `${one} is not ${other}`);
}

test("a photo is as large as it fits", () => {
  assert.deepEqual([FRAME.fit, FRAME.real], [{ width: 1000, height: 500 }, 4]);
  // On a screen with two pixels for one of the page, half of that is enough.
  assert.equal(frameOf({ width: 4000, height: 2000 }, FRAME.stage, 2).real, 2);
  // A small one is enlarged: 100 x 100 to 800 x 800.
  assert.deepEqual(frameOf({ width: 100, height: 100 }, FRAME.stage, 1).fit, { width: 800, height: 800 });
});

test("what is under the pointer stays there", () => {
  const point = { x: 120, y: -60 };
  let zoom = WHOLE;
  for (const scale of [3, 3.7, 9, 5]) {
    const before = under(zoom, point);
    zoom = zoomedAt(zoom, scale, point, FRAME);
    assert.equal(zoom.scale, scale);
    near(under(zoom, point), before);
  }
});

test("two fingers keep what they hold", () => {
  const zoom = zoomedAt(WHOLE, 4, { x: 0, y: 0 }, FRAME);
  const [from, to] = [{ x: 10, y: 20 }, { x: -60, y: 90 }];
  near(under(pinched(zoom, from, to, 1.5, FRAME), to), under(zoom, from));
});

test("no border is empty, at any place and scale", () => {
  for (const scale of [0.2, 1, 1.3, 2, 5, 16, 99]) {
    for (const [x, y] of [[0, 0], [1e6, -1e6], [-430, 77], [12, 1e5]]) {
      const zoom = limited({ scale, x, y }, FRAME);
      const [width, height] = [FRAME.fit.width * zoom.scale, FRAME.fit.height * zoom.scale];
      assert.ok(zoom.scale >= 1 && zoom.scale <= most(FRAME));
      // Larger than the stage: it covers both edges. Smaller: it is in the middle.
      assert.ok(width / 2 - Math.abs(zoom.x) >= FRAME.stage.width / 2 - 1e-9);
      if (height >= FRAME.stage.height) assert.ok(height / 2 - Math.abs(zoom.y) >= FRAME.stage.height / 2 - 1e-9);
      else assert.ok(zoom.y === 0);
    }
  }
});

test("it goes to four times the real pixels, and back to the whole", () => {
  assert.equal(zoomedAt(WHOLE, 500, { x: 0, y: 0 }, FRAME).scale, 16); // 4 x 4
  const corner = panned(zoomedAt(WHOLE, 8, { x: 400, y: 200 }, FRAME), -900, 0, FRAME);
  const { scale, x, y } = zoomedAt(corner, 1, { x: 3, y: 4 }, FRAME);
  assert.ok(scale === 1 && x === 0 && y === 0);
});

test("a click shows real pixels, within limits", () => {
  const clicked = (width) => clickScale(frameOf({ width, height: width / 2 }, FRAME.stage, 1));
  assert.deepEqual([clicked(300), clicked(3000), clicked(9000)], [2, 3, 4]);
});

test("the dark around a photo is not the photo", () => {
  assert.deepEqual(
    [[0, 0], [499, 249], [0, 260], [-501, 0]].map(([x, y]) => isOnPhoto({ x, y }, WHOLE, FRAME)),
    [true, true, false, false],
  );
  assert.ok(isOnPhoto({ x: 0, y: 260 }, { scale: 2, x: 0, y: 0 }, FRAME));
});

test("a view of 1600 pixels is enough until more are shown, if there are more", () => {
  const at = (scale, frame = FRAME, density = 1) => isTooSmall(1600, { scale, x: 0, y: 0 }, frame, density);
  assert.deepEqual([at(1), at(1.5), at(1.7)], [false, false, true]);
  assert.ok(!at(8, frameOf({ width: 1500, height: 900 }, FRAME.stage, 1)));
  const dense = frameOf({ width: 4000, height: 2000 }, FRAME.stage, 2);
  assert.deepEqual([at(1, dense, 2), at(1.1, dense, 2)], [false, true]); // the whole photo never needs it
});
