// Bars of dates, and spans of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketsOf, chosenBuckets, spanOfBuckets } from "../../server/page/js/components/buckets.js";

const MONTHS = [{ value: "2023-02", photos: 3 }, { value: "2022-11", photos: 5 }];

test("a bar for each month, also of those without photos", () => {
  assert.deepEqual(bucketsOf(MONTHS).map(({ key, photos }) => [key, photos]), [["2022-11", 5], ["2022-12", 0], ["2023-01", 0], ["2023-02", 3]]);
  assert.deepEqual(bucketsOf([]), []);
});

test("a bar for each year where months would be too many", () => {
  const buckets = bucketsOf([{ value: "2023-02", photos: 3 }, { value: "2023-01", photos: 1 }, { value: "2016-11", photos: 5 }]);
  assert.deepEqual(buckets.map(({ key }) => key), ["2016", "2017", "2018", "2019", "2020", "2021", "2022", "2023"]);
  assert.deepEqual([buckets[0].photos, buckets[1].photos, buckets[7].photos], [5, 0, 4]);
});

test("a span of bars is a filter, and back", () => {
  const buckets = bucketsOf(MONTHS);
  assert.deepEqual(spanOfBuckets(buckets, 2, 1), { after: "2022-12", before: "2023-02" });
  assert.deepEqual(chosenBuckets(buckets, "2022-12", "2023-02"), [1, 2]);
  assert.deepEqual(chosenBuckets(buckets, "", ""), [0, 3]);
  assert.deepEqual(chosenBuckets(buckets, "2022-12-15", "2023-01-15"), [1, 2]); // in part
  assert.deepEqual(chosenBuckets(buckets, "2030", ""), [3, 3]);
});
