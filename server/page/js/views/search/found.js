// The middle of the page: all photos, hits or captions, whatever the address asks for.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { byId } from "../../components/dom.js";
import { address, ANEW, isBrowsing, listOf } from "../../state/search.js";
import { NO_PHOTOS } from "../../state/photolist.js";
import { openBrowsing } from "../browse/browse.js";
import { showCaptions, walkCaptions } from "./captions.js";
import { mountGrid } from "./grid.js";
import { countOf, emptiness, notes } from "./notes.js";
import { openSearching } from "./search.js";

const LATE_MS = 250; // after which one is told that the server is at work

/**
 * @typedef {object} Actions
 * @property {() => any} state the state of the page
 * @property {(changes: object) => void} change
 * @property {(photo: number) => void} open shows a photo
 * @property {() => void} toField gives the focus to the field
 * @property {(error: any, again: () => void) => void} failed says that there is no answer
 * @property {() => void} shown is called when there is another list, or more of it
 * @property {Partial<import("./grid.js").Options>} grid what else the grid is told
 * @property {Record<string, {show: (state: any) => void, hide: () => void}>} views those beside "photos"
 */

/** @param {Actions} actions */
export function mountFound(actions) {
  /** @type {import("../browse/browse.js").Shown | null} */
  let shown = null;
  let asked = ""; // the list that is shown, or on its way
  let running = new AbortController(); // of the question that counts
  const browse = openBrowsing(() => {
    grid.refresh();
    actions.shown();
  });
  const search = openSearching(() => {
    display(search.shown(), grid.anchor());
    actions.shown();
  });
  const grid = mountGrid(byId("grid"), {
    ...actions.grid,
    addressOf: (photo) => address({ ...actions.state(), photo: String(photo) }),
    open: actions.open,
    leave: actions.toField,
    inset: () => Math.max(0, document.querySelector(".top").getBoundingClientRect().bottom),
  });
  walkCaptions(byId("captions"), actions.toField);
  addEventListener("scroll", growCaptions, { passive: true });

  /** Ask for what the state says. `kept` is where one was, when one comes back to it. */
  async function find(kept = null) {
    const state = actions.state();
    const isOther = asked !== listOf(state);
    asked = listOf(state);
    running.abort();
    const { signal } = (running = new AbortController());
    if (showView(state)) return;
    const busy = setTimeout(() => byId("asking").classList.add("busy"), LATE_MS);
    let isFirst = true; // the next ones leave one where one is by then
    const show = (its) => {
      if (signal.aborted) return;
      if (isOther && isFirst) grid.rewind();
      display(its, isFirst ? kept?.anchor ?? (isOther ? { scroll: 0 } : grid.anchor()) : grid.anchor());
      isFirst = false;
      actions.shown();
    };
    try {
      if (isBrowsing(state)) await browse.find(state, signal, !kept?.anchor?.photo, show);
      else show(await search.find(state, signal, kept?.top ?? 0));
    } catch (error) {
      if (error.name !== "AbortError" && !signal.aborted) fail(error);
    } finally {
      clearTimeout(busy);
      if (running.signal === signal) byId("asking").classList.remove("busy");
    }
  }

  /** Show the view that the state names; false for that of photos. */
  function showView(state) {
    for (const [name, view] of Object.entries(actions.views)) if (name !== state.view) view.hide();
    const view = actions.views[state.view];
    byId("found").hidden = Boolean(view);
    if (!view) return false;
    shown = null;
    for (const id of ["notes", "count"]) render(nothing, byId(id));
    view.show(state);
    actions.shown();
    return true;
  }

  /** Instead of an answer. What was found before is of another question. */
  function fail(error) {
    actions.failed(error, () => find());
    render(nothing, byId("count"));
    asked = ""; // the same may be asked again
    if (document.activeElement === byId("q")) {
      byId("found").classList.add("stale"); // an unfinished word, perhaps
      return;
    }
    shown = null;
    grid.show(NO_PHOTOS, []);
    for (const id of ["grid", "captions"]) byId(id).hidden = true;
    render(nothing, byId("empty"));
  }

  /** @param {import("../browse/browse.js").Shown} its */
  function display(its, anchor) {
    shown = its;
    const state = actions.state();
    const { answer } = its;
    const inCaptions = answer.in === "captions";
    const isEmpty = inCaptions ? !answer.hits.length : !its.list.length;
    byId("found").classList.remove("stale");
    render(html`${countOf(answer, state)}`, byId("count"));
    render(notes(answer, state, actions.change), byId("notes"));
    render(emptiness(answer, state, actions.change), byId("empty"));
    byId("grid").hidden = inCaptions || isEmpty;
    byId("captions").hidden = !inCaptions || isEmpty;
    showCaptions(byId("captions"), inCaptions ? answer.hits : [], its.sections, {
      addressOf: (changes) => address({ ...state, ...changes }),
      open: (hit) => actions.open(hit.photo),
      lookFor: (q) => actions.change({ ...ANEW, q }),
    });
    if (inCaptions) {
      if (anchor?.scroll !== undefined) scrollTo(0, anchor.scroll);
      growCaptions();
    }
    grid.show(inCaptions ? NO_PHOTOS : its.list, inCaptions ? [] : its.sections, { toCome: its.toCome, anchor: inCaptions ? null : anchor });
  }

  /** Three screens before their end more captions are asked for. */
  function growCaptions() {
    if (!shown?.toCome || shown.answer.in !== "captions") return;
    if (scrollY + 4 * innerHeight > document.documentElement.scrollHeight) search.want(shown.answer.hits.length);
  }

  return {
    grid,
    find,
    /** Photos have come or gone, in the library: ask again, and stay where one is. */
    again() {
      browse.forget();
      return find({ anchor: anchor(), top: shown?.answer.hits?.length ?? 0 });
    },
    /** Whether the state asks for another list than what is shown, or on its way. */
    isOther: (state) => listOf(state) !== asked,
    get list() {
      return shown?.list ?? NO_PHOTOS;
    },
    get answer() {
      return shown?.answer ?? null;
    },
    anchor,
    /** Go from the field to the first photo or caption; false if there is none. */
    enter() {
      /** @type {HTMLElement} */
      const caption = byId("captions").hidden ? null : byId("captions").querySelector(".caption");
      caption?.focus();
      return caption !== null || grid.enter();
    },
  };

  function anchor() {
    return shown && shown.answer.in !== "captions" ? grid.anchor() : { scroll: scrollY };
  }
}
