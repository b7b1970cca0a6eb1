// How dates are said.

import assert from "node:assert/strict";
import { test } from "node:test";
import { dayAfter, firstDay, lastDay, spanName, spanOf } from "../../server/page/js/components/words.js";

for (const [value, before, name] of [
  ["2023", "2024", "2023"],
  ["0999", "1000", "0999"],
  ["2023-06", "2023-07", "June 2023"],
  ["2023-12", "2024-01", "December 2023"],
  ["2024-02-28", "2024-02-29", "2024-02-28"],
  ["2023-12-31", "2024-01-01", "2023-12-31"],
]) {
  test(`${value} is a span of time`, () => {
    assert.deepEqual(spanOf(value), { after: value, before });
    assert.equal(spanName(value, before), name);
  });
}

test("other spans are said by their days", () => {
  // Both ends are shown as days that belong to it; the filter's end does not.
  assert.equal(spanName("2023-06", "2023-08"), "2023-06-01 to 2023-07-31");
  assert.equal(spanName("2023", ""), "since 2023");
  assert.equal(spanName("", "2024"), "until 2023-12-31");
});

test("dates of an address may be anything", () => {
  assert.deepEqual(
    [firstDay("2023-06-30 18:00"), lastDay("2023-6"), dayAfter("2024-02-28")],
    ["2023-06-30", "2023-05-31", "2024-02-29"],
  );
  assert.deepEqual([firstDay("soon"), firstDay("")], ["", ""]);
  assert.equal(spanName("soon", "2024"), "soon to 2023-12-31");
  assert.equal(spanName("2023-06-30 18:00", "later"), "2023-06-30 to later");
});
