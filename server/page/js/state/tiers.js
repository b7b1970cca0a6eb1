// The three tiers of hits: those that match well, those that perhaps match, and the rest.

import { count, number } from "../components/words.js";
import { isQuery } from "./search.js";

/**
 * How many there are, for the eye and for screen readers: of an answer of /api/timeline all photos, of one of /api/search
 * in which of the three tiers they are.
 */
export function countOf(answer, state) {
  if (answer && !answer.hits) return answer.photos ? count(answer.photos, "photo") : "";
  if (!answer || !answer.gallery) return "";
  const thing = state.in === "captions" ? "caption" : "photo";
  const n = answer.hits.length;
  if (!n) return `No ${thing}s`;
  const all = answer.passing ?? answer.gallery;
  const isDatesAlone = answer.dates?.used && !answer.query && !state.picture && !state.like.length;
  if (!isQuery(state) || isDatesAlone) return count(all, thing);
  const good = matching(answer);
  if (good === null) return `${count(all, thing)}, the best first`; // how many of them match, nobody knows
  const of = `of ${count(all, thing)}`;
  if (!good) return `None ${of} matches well`;
  const isOpen = good === n && answer.next; // hits that are still to come may match as well
  const some = (isOpen ? "At least " : "") + `${number(good)} ${of}`;
  const verb = good === 1 && !isOpen ? "matches" : "match";
  if (!answer.hits.some((hit) => hit.tier === "likely")) return `${some} perhaps ${verb}`;
  const perhaps = answer.hits.slice(good).filter((hit) => hit.tier === "perhaps").length;
  const isCounted = answer.hits.at(-1).tier !== "perhaps" || !answer.next;
  return `${some} ${verb} well${perhaps && isCounted ? `, ${number(perhaps)} perhaps` : ""}`;
}

/** After so many hits none matches well; null if nobody can tell. */
export const matching = (answer) => answer.n_matching;
