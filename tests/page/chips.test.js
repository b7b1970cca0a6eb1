// Filters of the address that have no panel of their own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "../../server/page/js/state/search.js";
import { chipsOf } from "../../server/page/js/state/chips.js";

test("each is said, and can be taken away", () => {
  const chips = chipsOf(read("?near=48.85,2.35&within=20km&day=07-04&min_size=2MP&not_path=raw&not_path=old"));
  assert.deepEqual(chips, [
    ["Within 20km of 48.85,2.35", { near: "", within: "" }],
    ["On 4 July of any year", { day: "" }],
    ["At least 2MP", { min_size: "" }],
    ["Not in raw", { not_path: ["old"] }],
    ["Not in old", { not_path: ["raw"] }],
  ]);
  assert.deepEqual(chipsOf(read("?q=dog")), []);
});
