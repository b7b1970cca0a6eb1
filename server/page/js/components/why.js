// Why a photo was found, as one plain sentence.

import { count, percent } from "./words.js";

const TIERS = { likely: "Likely a match", perhaps: "Perhaps a match", rest: "Probably not a match" };
const LIKELY = "4 of 5 such photos match"; // what the limit of that tier was set to

/**
 * Why a hit is there, as /api/search has hit and answer; "" where nothing was looked for.
 * "Likely a match (91% probability; 4 of 5 such photos match): its picture fits “dog” and its captions have “dog”."
 */
export function why(hit, answer) {
  if (!hit || !answer || (hit.score == null && !hit.matched?.length)) return "";
  const reasons = hit.caption == null ? reasonsOf(hit, answer) : ofCaption(answer);
  return `${verdict(hit, answer)}${reasons.length ? `: ${listed(reasons)}` : ""}.`;
}

function verdict({ tier, confidence, rank, caption }, { confidence_from }) {
  if (confidence == null) return `Number ${rank} by likeness; how probable a match is, is not known here`;
  const isMeasured = confidence_from !== "background";
  const sure = `${isMeasured ? "" : "about "}${percent(confidence)} probability`;
  if (!tier) return `With ${percent(confidence)} probability this caption is of the photo you describe`;
  const all = tier === "likely" && isMeasured && caption == null ? `; ${LIKELY}` : "";
  return `${TIERS[tier]} (${sure}${all})`;
}

function reasonsOf(hit, answer) {
  const reasons = [];
  const words = hit.matched?.length ? ofWords(hit.matched, answer) : "";
  if (answer.not_understood) {
    reasons.push(`no picture can show this, ${words ? `but ${words}` : "and its texts have none of the words"}`);
  } else {
    if (hit.tier !== "rest" && hit.score != null) reasons.push(ofPicture(hit, answer));
    if (words) reasons.push(words);
  }
  if (hit.alike?.length) reasons.push(`it is almost the same as ${count(hit.alike.length, "other")}`);
  return reasons;
}

function ofPicture(hit, answer) {
  const part = hit.region ? `its ${sideOf(hit)}` : "its picture";
  const text = phraseOf(answer);
  if (text) return `${part} fits “${text}”`;
  return answer.phrases?.length ? `${part} fits your words` : `${part} looks like what you gave`;
}

/** The part of the photo where the middle of the region is: "upper left", "middle", "lower part". */
export function sideOf({ region: [left, top, right, bottom], width, height }) {
  const third = (middle, side) => Math.min(2, Math.floor((3 * middle) / side));
  const across = ["left", "", "right"][third((left + right) / 2, width)];
  const down = ["upper", "", "lower"][third((top + bottom) / 2, height)];
  if (!across && !down) return "middle";
  return `${[down, across].filter(Boolean).join(" ")} part`;
}

function ofWords(fields, answer) {
  const verb = fields.length === 1 && !fields[0].endsWith("s") ? "has" : "have";
  return `its ${listed(fields)} ${verb} ${wordsOf(answer)}`;
}

/** The word itself, where there is only one; of several it is not known which. */
function wordsOf(answer) {
  const texts = answer.phrases ?? [];
  const words = texts.flatMap(({ text, words }) => (words.length ? words : [text]));
  if (words.length === 1) return `“${words[0]}”`;
  const text = phraseOf(answer);
  return text ? `words of “${text}”` : "some of your words";
}

const phraseOf = ({ phrases }) => (phrases?.length === 1 ? phrases[0].text : "");

function ofCaption(answer) {
  const text = phraseOf(answer);
  return [text ? `its meaning is near to “${text}”` : "its meaning is near to what you gave"];
}

const listed = (parts) => (parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`);
