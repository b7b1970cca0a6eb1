// Photos as rows of pictures, of which only those near the screen are in the document: it stays small and quick however
// many photos there are. All rows have their places from the start (components/justified.js).

import { boxesOf, layOut, lineAt, nearest, rowOf, shownRatio } from "../../components/justified.js";
import { TallScroll } from "../../components/tallscroll.js";
import { number } from "../../components/words.js";
import { NO_PHOTOS } from "../../state/photolist.js";
import { Rows } from "./rows.js";
import { describe, loadPicture } from "./tile.js";

const GAP = 4; // pixels; also in grid.css
const AHEAD = 1; // screens above and below that are in the document
const FEW = 30; // lines: a list that is no longer is in the document as a whole, to be read and searched by the browser
const FLYING = 5; // screens a second: faster, and the pictures that fly by are not asked for
const CALM_MS = 70; // after the last scroll they are

/**
 * A part of the list: so many photos, and the heading above them, if any: a `month` (or folder), or a `line`.
 * @typedef {{photos: number, heading: {kind: "month" | "line", text: string, detail?: string} | null}} Section
 *
 * Where one is: a photo, its position, and how far below the top of the screen its row begins; or, above the photos, how
 * far the page is scrolled.
 * @typedef {{photo: number, at: number, offset: number} | {scroll: number}} Anchor
 *
 * @typedef {object} Options
 * @property {(photo: number) => string} addressOf where a tile leads
 * @property {(photo: number) => void} open shows a photo
 * @property {() => void} leave takes the focus when one goes up from the first row, or presses Escape
 * @property {() => number} inset the pixels at the top of the screen that something else covers
 * @property {(facts: import("../../state/photolist.js").Facts) => string} [title] what is said on hover
 * @property {(tile: HTMLAnchorElement, photo: number, at: number) => void} [decorate] adds to each tile that is drawn
 * @property {(event: MouseEvent, photo: number, at: number) => boolean} [press] takes a click, or leaves it
 * @property {(event: KeyboardEvent, photo: number, at: number) => boolean} [key] takes a key, or leaves it
 */

/**
 * A grid in `element`.
 * @param {HTMLElement} element
 * @param {Options} options
 */
export function mountGrid(element, options) {
  const { addressOf, open, leave, inset, title = () => "", decorate = () => {}, press = () => false, key = () => false } = options;
  const rows = new Rows(element);
  let list = NO_PHOTOS;
  /** @type {Section[]} */
  let sections = [];
  let more = false;
  let ratios = new Float32Array(0);
  let layout = layOut(ratios, [], { width: 0, target: 1, gap: GAP });
  let view = new TallScroll(0);
  let position = 0; // of the top of the screen, in pixels of the layout; negative above the grid
  let width = 0;
  let current = 0; // the position in the list that Tab leads to
  let column = null; // where up and down are heading
  let stamp = 0; // when the last scroll was
  let calm = 0; // the timer after which pictures are asked for again
  /** @type {HTMLAnchorElement | null} */
  let tabbed = null; // the tile with tabindex 0
  let described = new WeakMap(); // tile -> the facts it says
  const watchers = new Set();

  element.setAttribute("role", "grid");

  // Places.

  function layOutAll() {
    const narrow = width < 600;
    const target = narrow ? 124 : width < 1100 ? 180 : 220;
    const heights = { month: narrow ? 40 : 52, line: 54 };
    ratios = Float32Array.from({ length: list.length }, (_, at) => shownRatio(list.ratioAt(at)));
    const parts = sections.map(({ photos, heading }) => ({ photos, heading: heading ? heights[heading.kind] : 0 }));
    layout = layOut(ratios, parts, { width, target, gap: GAP, more });
    view = new TallScroll(layout.height);
    element.style.height = `${view.element}px`;
    element.setAttribute("aria-rowcount", String(more ? -1 : layout.lines));
    described = new WeakMap(); // addresses may be others
    rows.renew(layout, ratios, list.photoAt, (section) => sections[section].heading);
  }

  /** Lay everything out anew and be at an anchor. */
  function renew(anchor) {
    if (!width) return;
    layOutAll();
    current = Math.min(current, Math.max(0, list.length - 1));
    if (!anchor || !restore(anchor)) read();
    draw();
  }

  const gridTop = () => element.getBoundingClientRect().top + scrollY;

  /** Where one is. @returns {Anchor} */
  function anchor() {
    if (position <= 0 || !list.length) return { scroll: scrollY };
    const line = Math.min(lineAt(layout, position + inset()) + 1, layout.lines - 1);
    const at = Math.min(layout.first[line], list.length - 1);
    const row = rowOf(layout, at);
    return row < 0 ? { scroll: scrollY } : { photo: list.photoAt(at), at, offset: layout.top[row] - position };
  }

  /** Scroll to an anchor without drawing; false where there are no photos yet. */
  function restore(anchor) {
    if ("scroll" in anchor) {
      scrollTo(0, anchor.scroll);
      return false;
    }
    const found = list.indexOf(anchor.photo);
    const row = rowOf(layout, found >= 0 ? found : Math.min(anchor.at, list.length - 1)); // it may be gone
    if (row < 0) return false;
    go(layout.top[row] - anchor.offset);
    return true;
  }

  /** Have a pixel of the layout at the top of the screen; a negative one is above the photos. */
  function go(wanted) {
    const top = Math.round(gridTop());
    position = Math.min(Math.max(wanted, -top), layout.height);
    scrollTo(0, top + Math.min(position, 0) + view.goTo(Math.max(position, 0)));
  }

  /** Take in how far the page is scrolled. */
  function read() {
    const top = Math.round(gridTop());
    const scroll = scrollY - top;
    if (scroll <= 0) {
      position = scroll;
      view.goTo(0);
      return;
    }
    const moved = view.moved(scroll);
    position = moved.position;
    if (moved.scroll !== null) scrollTo(0, top + moved.scroll);
  }

  // What is in the document.

  function draw() {
    if (!width) return;
    const focused = document.activeElement;
    rows.show(linesToShow(), view.shift);
    // A tile that moved into another row has lost the focus on the way.
    if (focused !== document.activeElement && focused instanceof HTMLElement && element.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
    leadTab();
    look();
    for (const watcher of watchers) watcher();
  }

  /** Those near the screen, and the one with the focus wherever it is. */
  function linesToShow() {
    if (layout.lines <= FEW) return Array.from({ length: layout.lines }, (_, line) => line);
    const from = lineAt(layout, position - AHEAD * innerHeight);
    const to = lineAt(layout, position + (1 + AHEAD) * innerHeight);
    const lines = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    const tile = tileWith(document.activeElement);
    const focused = tile ? rowOf(layout, list.indexOf(tile.dataset.photo)) : -1;
    if (focused >= 0 && focused < from) lines.unshift(focused);
    if (focused > to) lines.push(focused);
    return lines;
  }

  /** The tile that an element is, or is in. @returns {HTMLAnchorElement | null} */
  function tileWith(target) {
    return target instanceof Element && element.contains(target) ? target.closest("a[data-photo]") : null;
  }

  /** Say what is known of the tiles and, unless they fly by, load their pictures, those on the screen first. */
  function look() {
    const near = [...rows.drawn.keys()].filter((line) => layout.count[line]);
    if (!near.length) return;
    const away = (line) => Math.abs(layout.top[line] + layout.heights[line] / 2 - position - innerHeight / 2);
    for (const line of near.sort((one, other) => away(one) - away(other))) {
      for (const [index, tile] of rows.drawn.get(line).tiles.entries()) tell(tile, layout.first[line] + index);
    }
    if (calm) return;
    const [from, to] = [Math.min(...near), Math.max(...near)];
    list.want(layout.first[from], layout.first[to] + layout.count[to] - 1);
  }

  function tell(tile, at) {
    const facts = list.factsAt(at);
    const photo = list.photoAt(at);
    const isSame = described.get(tile) === facts && tile.dataset.at === String(at);
    if (!isSame || !tile.href) {
      describe(tile, facts, { href: addressOf(photo), at, total: number(list.total ?? list.length), title });
      described.set(tile, facts);
      decorate(tile, photo, at);
    }
    if (facts && !calm) loadPicture(tile, facts, Number(tile.dataset.side));
  }

  function leadTab() {
    const next = rows.tiles.get(list.photoAt(current)) ?? firstSeen();
    if (tabbed === next) return;
    if (tabbed) tabbed.tabIndex = -1;
    if (next) next.tabIndex = 0;
    tabbed = next;
  }

  function firstSeen() {
    const row = [...rows.drawn.entries()].find(([line, { tiles }]) => tiles.length && layout.top[line] >= position + inset());
    return row?.[1].tiles[0] ?? rows.tiles.values().next().value ?? null;
  }

  // Scrolling.

  function scrolled() {
    if (!width || !layout.lines) return;
    const before = position;
    const now = performance.now();
    read();
    const isFlying = now - stamp < 100 && Math.abs(position - before) / (now - stamp) > (FLYING * innerHeight) / 1000;
    stamp = now;
    clearTimeout(calm);
    calm = isFlying ? setTimeout(settle, CALM_MS) : 0;
    draw();
  }

  function settle() {
    calm = 0;
    look();
  }

  // The focus.

  /** Give the focus to a photo by its position, on the screen; false if it has no place yet. */
  function focus(at) {
    const line = at < 0 ? -1 : rowOf(layout, at);
    if (line < 0) return false;
    const [top, bottom] = [position + inset() + 8, position + innerHeight - 24];
    const [begin, end] = [layout.top[line], layout.top[line] + layout.heights[line]];
    if (begin < top) go(line <= 1 ? -Infinity : begin - inset() - 60); // to the first row belongs what is above it
    else if (end > bottom) go(end - innerHeight + 24);
    current = at;
    draw();
    const tile = rows.tiles.get(list.photoAt(at));
    tell(tile, at);
    tile.focus({ preventScroll: true });
    return true;
  }

  element.addEventListener("click", (event) => {
    const tile = tileWith(event.target);
    if (!tile) return;
    const at = list.indexOf(tile.dataset.photo);
    const photo = list.photoAt(at);
    if (!press(event, photo, at)) {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab is the browser's business
      current = at;
      open(photo);
    }
    event.preventDefault();
  });
  element.addEventListener("focusin", (event) => {
    const tile = tileWith(event.target);
    if (!tile) return;
    current = list.indexOf(tile.dataset.photo);
    leadTab();
  });
  element.addEventListener("keydown", (event) => {
    const tile = tileWith(event.target);
    if (!tile) return;
    const at = list.indexOf(tile.dataset.photo);
    if (key(event, list.photoAt(at), at) || walk(event, at)) event.preventDefault();
  });

  /** Go where a key leads from a photo; false if it leads nowhere. */
  function walk(event, at) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) column = null;
    if (event.key === "ArrowRight") focus(at + 1);
    else if (event.key === "ArrowLeft") focus(Math.max(0, at - 1));
    else if (event.key === "Home") focus(0);
    else if (event.key === "End") focus(lastPlaced());
    else if (event.key === "Escape") leave();
    else if (step) upOrDown(at, step);
    else return false;
    return true;
  }

  /** The last photo that has a place. */
  function lastPlaced() {
    for (let line = layout.lines - 1; line >= 0; line--) if (layout.count[line]) return layout.first[line] + layout.count[line] - 1;
    return -1;
  }

  function upOrDown(at, step) {
    const line = rowOf(layout, at);
    let to = line + step;
    while (to >= 0 && to < layout.lines && !layout.count[to]) to += step; // over headings
    if (to < 0) return leave();
    if (line < 0 || to >= layout.lines) return;
    const box = boxesOf(layout, line, ratios).find((one) => one.at === at);
    const heading = column ?? box.x + box.width / 2; // kept while going on, else one drifts to the side
    focus(nearest(boxesOf(layout, to, ratios), heading).at);
    column = heading;
  }

  addEventListener("scroll", scrolled, { passive: true });
  addEventListener("resize", () => width && draw());
  new ResizeObserver(() => {
    const now = element.clientWidth;
    if (!now || now === width) return; // 0: it is hidden
    const where = width ? anchor() : null;
    width = now;
    renew(where);
  }).observe(element);

  return {
    /**
     * Show the photos of a list, whose sections are `its`; `toCome` if more may follow the last. One stays at `anchor`,
     * or where the page is scrolled to.
     * @param {import("../../state/photolist.js").PhotoList} photos
     * @param {Section[]} its
     * @param {{toCome?: boolean, anchor?: Anchor | null}} [how]
     */
    show(photos, its, { toCome = false, anchor = null } = {}) {
      list = photos;
      sections = its;
      more = toCome;
      width = element.clientWidth || width;
      const had = element.contains(document.activeElement);
      renew(anchor);
      if (had && document.activeElement === document.body) tabbed?.focus({ preventScroll: true }); // its photo is not here
    },
    /** Facts have come. */
    refresh: look,
    /** Have all tiles decorated anew. */
    redecorate() {
      for (const [photo, tile] of rows.tiles) decorate(tile, photo, list.indexOf(photo));
    },
    /** Begin at the first photo again, as for another question. */
    rewind() {
      current = 0;
      column = null;
    },
    /** Give the focus to the photo one was at; false if there is none. */
    enter: () => focus(tabbed ? list.indexOf(tabbed.dataset.photo) : current),
    /** Give the focus to a photo, and bring it to the screen; false if it is not in the list. */
    focusPhoto: (photo) => focus(list.indexOf(photo)),
    /** The tile of a photo, if it is drawn. */
    tileOf: (photo) => rows.tiles.get(Number(photo)) ?? null,
    anchor,
    /** Where one is and how much there is, in pixels: for a scrubber. */
    get extent() {
      return { position, height: layout.height, inset: inset() };
    },
    /** The first pixel of each section. */
    sectionTops() {
      const tops = new Float64Array(sections.length);
      for (let line = layout.lines - 1; line >= 0; line--) tops[layout.sections[line]] = layout.top[line];
      return tops;
    },
    /** Have this pixel of the photos at the top of the screen, below what covers it. */
    goTo(pixel) {
      go(pixel - inset());
      draw();
    },
    /** Call `watcher` after each change of places or of where one is. */
    watch: (watcher) => watchers.add(watcher),
  };
}
