// Hits: the answer to a question, and more of it as one goes on, to the end.

import { search } from "../../api/client.js";
import { question } from "../../state/search.js";
import { listOfFacts } from "../../state/photolist.js";
import { matching } from "../../state/tiers.js";

const FIRST = 100; // hits: two screens, so that a key that is typed costs one request
const NEXT = 200;
const MOST = 1000; // of one answer
const AHEAD = 20; // hits before the end at which more are asked for
const PERHAPS = "These perhaps match";
const WEAK = "Nothing below here matches well";

/**
 * Hits of one question at a time. `grown()` is called when more of them have come. `answer` is the last one with all hits
 * so far, `next` what the server wants to hear for more.
 */
export function openSearching(grown) {
  let state = null;
  let answer = null;
  let signal = null; // the question is another one when it is aborted
  let growing = null; // the request for more

  /**
   * Ask for a state; with at least `top` hits, as far as one had come. Throws what the server says.
   * @returns {Promise<import("../browse/browse.js").Shown>}
   */
  async function find(its, itsSignal, top = 0) {
    const first = await search(question(its, Math.min(MOST, Math.max(FIRST, top))), itsSignal);
    [state, signal, answer, growing] = [its, itsSignal, first, null];
    while (answer.next && answer.hits.length < top) await grow();
    return shown();
  }

  async function grow() {
    if (growing || !answer?.next) return growing;
    const mine = signal;
    const asked = question(state, NEXT);
    asked.set("cursor", answer.next);
    growing = search(asked, mine);
    try {
      const more = await growing;
      if (mine !== signal) return;
      // The line stays where it is once it is seen, even if one of the new hits is found likely by its words.
      const line = answer.n_matching;
      const isSeen = line !== null && line < answer.hits.length;
      answer = { ...answer, hits: [...answer.hits, ...more.hits], next: more.next, n_matching: isSeen ? line : more.n_matching };
    } finally {
      if (mine === signal) growing = null;
    }
  }

  /** More hits, unless they are on their way; where that fails, the next scroll tries again. */
  async function want(last) {
    if (growing || !answer?.next || last < answer.hits.length - AHEAD) return;
    const mine = signal;
    try {
      await grow();
    } catch {
      return;
    }
    if (mine === signal && !mine.aborted) grown();
  }

  /** @returns {import("../browse/browse.js").Shown} */
  function shown() {
    const toCome = Boolean(answer.next);
    const list = listOfFacts(answer.hits, { total: toCome ? (answer.in === "images" ? answer.passing : null) : undefined, want: (_, last) => want(last) });
    return { list, sections: sectionsOf(answer.hits, matching(answer)), toCome, answer };
  }

  return { find, want, shown };
}

/** The first `n` hits, those that perhaps match, and the rest, each under its line. */
export function sectionsOf(hits, n) {
  /** @type {(from: number, to: number, text: string) => import("./grid.js").Section} */
  const part = (from, to, text) => ({ photos: to - from, heading: text ? { kind: "line", text } : null });
  if (n === null || n >= hits.length) return [part(0, hits.length, "")];
  const end = Math.max(n, hits.findLastIndex((hit) => hit.tier === "perhaps") + 1);
  return [part(0, n, ""), part(n, end, PERHAPS), part(end, hits.length, WEAK)].filter((section) => section.photos);
}
