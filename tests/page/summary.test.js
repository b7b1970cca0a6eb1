// Saved searches in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { summary } from "../../server/page/js/views/collections/summary.js";

for (const [query, words] of [
  ["q=dog&after=2023&before=2024", "dog · 2023"],
  ["path=holiday/*&camera=Pixel+7&favourite=true", "camera Pixel 7 · in holiday/* · favourites"],
  ["q=sea&like=7&rating=4%2B", "sea · like a photo · rated 4+"],
  ["near=Paris&within=20km&not_path=raw", "within 20km of Paris · not in raw"],
  ["like=7&unlike=8&day=07-04&favourite=false", "like a photo · unlike a photo · no favourites · on 4 July of any year"],
  ["in=captions&q=sea", "sea · captions"],
  ["sort=date", "all photos"],
]) {
  test(`${query} is said as "${words}"`, () => assert.equal(summary(query), words));
}
