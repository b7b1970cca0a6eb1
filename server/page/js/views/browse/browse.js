// All photos that pass the filters: which there are, and where their headings are.

import { photos, photosOf, timeline } from "../../api/client.js";
import { count, monthAndYear, nameOf } from "../../components/words.js";
import { listOfFacts } from "../../state/photolist.js";
import { browsing } from "../../state/search.js";
import { FactsCache, timelineList } from "../../state/timeline.js";

const FIRST = 60; // photos, enough for a screen, that are shown before the places of all are known

/**
 * What is to be shown.
 * @typedef {{list: import("../../state/photolist.js").PhotoList, sections: import("../search/grid.js").Section[],
 *   toCome: boolean, answer: any}} Shown
 */

/** The photos of a library; `came()` is called when more is known of some that were wanted. */
export function openBrowsing(came) {
  const cache = new FactsCache(photosOf, came);
  let last = { asked: "", shown: null };

  /**
   * Call `show` with the photos for a state, at first perhaps with a screenful of them alone (`quick`), and then with
   * all. Throws what the server says.
   * @param {(shown: Shown) => void} show
   */
  async function find(state, signal, quick, show) {
    const asked = browsing(state);
    if (last.asked === String(asked)) return show(last.shown);
    let isWhole = false;
    if (quick && asked.get("sort") === "date") {
      const first = new URLSearchParams(asked);
      first.set("limit", String(FIRST));
      photos(first, signal)
        .then((its) => {
          cache.keep(its.photos);
          if (!isWhole && !signal.aborted && its.next !== null) show(beginning(its));
        })
        .catch(() => {}); // the other request has the same to say
    }
    const answer = await timeline(asked, signal);
    isWhole = true;
    last = { asked: String(asked), shown: { list: timelineList(answer, cache), sections: sectionsOf(answer), toCome: false, answer } };
    show(last.shown);
  }

  return {
    find,
    /** Photos have come or gone: all is asked anew. */
    forget() {
      last = { asked: "", shown: null };
      cache.clear();
    },
  };
}

/** @returns {Shown} */
function beginning({ photos, total }) {
  /** @type {import("../search/grid.js").Section[]} */
  const sections = [];
  let before = null;
  for (const { date } of photos) {
    const month = (date ?? "").slice(0, 7);
    if (month !== before) sections.push({ photos: 0, heading: headingOf(month, null, "date") });
    sections.at(-1).photos += 1;
    before = month;
  }
  return { list: listOfFacts(photos, { total }), sections, toCome: true, answer: { photos: total, sections: [], sort: "date" } };
}

export const sectionsOf = ({ sections, sort }) =>
  sections.map(({ key, photos }) => ({ photos, heading: headingOf(key, photos, sort) }));

/**
 * The heading of a section of an answer of /api/timeline; `n` is null while nobody knows how many photos it has.
 * @returns {import("../search/grid.js").Section["heading"]}
 */
function headingOf(key, n, sort) {
  const photos = n === null ? "" : count(n, "photo");
  if (sort !== "folder") return { kind: "month", text: sectionName(key, sort), detail: photos };
  return { kind: "month", text: sectionName(key, sort), detail: [key, photos].filter(Boolean).join(" · ") };
}

/** What a section is called: its month, its folder, its size. */
export function sectionName(key, sort) {
  if (sort === "date") return key ? monthAndYear(key) : "No date";
  return sort === "folder" ? nameOf(key) || key : key;
}
