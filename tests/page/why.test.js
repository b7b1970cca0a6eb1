// Why a photo was found, in a sentence.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sideOf, why } from "../../server/page/js/components/why.js";

const HIT = { rank: 3, score: 0.3, confidence: 0.91, tier: "likely", caption: null, matched: [], alike: [], region: null, width: 300, height: 300 };
const ANSWER = { phrases: [{ text: "dog", words: [] }], not_understood: null, confidence_from: "captions" };
const said = (hit = {}, answer = {}) => why({ ...HIT, ...hit }, { ...ANSWER, ...answer });

test("by what the picture shows", () => {
  assert.equal(said(), "Likely a match (91% probability; 4 of 5 such photos match): its picture fits “dog”.");
  assert.equal(said({ tier: "perhaps", confidence: 0.12 }), "Perhaps a match (12% probability): its picture fits “dog”.");
  assert.equal(said({ tier: "rest", confidence: 0.001 }), "Probably not a match (<1% probability).");
});

test("by words in its texts", () => {
  assert.match(said({ matched: ["name"] }), /: its picture fits “dog” and its name has “dog”\.$/);
  assert.match(said({ matched: ["captions"] }), / and its captions have “dog”\.$/);
  assert.match(said({ matched: ["name", "captions"] }), / its name and captions have “dog”\.$/);
  // Of several words it is not known which the photo has.
  const coffee = { phrases: [{ text: "a cup of coffee", words: ["cup", "coffee"] }] };
  assert.match(said({ matched: ["name", "folder", "keywords"] }, coffee), / its name, folder and keywords have words of “a cup of coffee”\.$/);
  assert.match(said({ matched: ["name"] }, { phrases: [{ text: "a dog", words: ["dog"] }] }), /fits “a dog” and its name has “dog”\.$/);
});

test("by a part of the photo", () => {
  assert.match(said({ region: [0, 0, 90, 90] }), /: its upper left part fits “dog”\.$/);
  const side = (...region) => sideOf({ region, width: 300, height: 300 });
  assert.deepEqual(
    [side(110, 110, 190, 190), side(0, 100, 90, 200), side(100, 220, 200, 300), side(210, 0, 300, 100), side(100, 0, 200, 90)],
    ["middle", "left part", "lower part", "upper right part", "upper part"],
  );
});

test("with near-duplicates under it", () => {
  assert.match(said({ alike: ["/a.jpg"] }), / and it is almost the same as 1 other\.$/);
  assert.match(
    said({ alike: ["/a.jpg", "/b.jpg", "/c.jpg"], matched: ["name"] }),
    /: its picture fits “dog”, its name has “dog” and it is almost the same as 3 others\.$/,
  );
});

test("by words alone, where no picture can answer", () => {
  const the = { phrases: [{ text: "qwrtz", words: [] }], not_understood: { reason: "gibberish", text: "qwrtz", message: "" } };
  assert.match(said({ matched: ["name"] }, the), /: no picture can show this, but its name has “qwrtz”\.$/);
  assert.match(
    said({ tier: "rest", confidence: 0 }, the),
    /^Probably not a match \(<1% probability\): no picture can show this, and its texts have none of the words\.$/,
  );
});

test("like a picture, or several things at once", () => {
  assert.match(said({}, { phrases: [] }), /: its picture looks like what you gave\.$/);
  const two = { phrases: [{ text: "dog", words: [] }, { text: "beach", words: [] }] };
  assert.equal(
    said({ confidence: null, tier: null, matched: ["name"] }, two),
    "Number 3 by likeness; how probable a match is, is not known here: its picture fits your words and its name has some of your words.",
  );
});

test("a probability that is estimated is about right", () => {
  assert.equal(said({}, { confidence_from: "background" }), "Likely a match (about 91% probability): its picture fits “dog”.");
});

test("captions", () => {
  assert.equal(
    said({ caption: "a dog", tier: null }),
    "With 91% probability this caption is of the photo you describe: its meaning is near to “dog”.",
  );
  assert.equal(said({ caption: "a dog" }, { phrases: [] }), "Likely a match (91% probability): its meaning is near to what you gave.");
});

test("nothing where nothing was looked for", () => {
  assert.equal(said({ score: null, confidence: null, tier: null }), "");
  assert.equal(why(null, ANSWER), "");
  assert.equal(why(HIT, null), "");
});
