// The hits as rows of pictures. Made by hand rather than with templates: a picture that stays keeps its element
// (no second load, no wrong picture for a moment), and a row that stays is not touched.

import { thumbnail } from "../../api/client.js";
import { justify, nearest, ratio } from "../../components/justified.js";
import { momentOf, nameOf, percent } from "../../components/words.js";

const GAP = 4; // pixels; also in search.css

/**
 * A grid in `element`. `addressOf(hit)` is where a hit leads, `open(hit)` shows it, `leave()` takes the focus when one
 * goes up from the first row, or presses Escape.
 */
export function mountGrid(element, { addressOf, open, leave }) {
  let sections = []; // [{hits, line}]: line is what stands above these hits, or null
  let more = false;
  /** @type {{key: string, line?: string, height?: number, boxes?: {at: number, hit: number, x: number, width: number}[]}[]} */
  let lines = []; // of the layout: {key, height, boxes: [{at, x, width}], first: hit number of at 0}
  let tiles = new Map(); // photo id -> element, of those shown
  let current = 0; // the hit that Tab leads to
  let column = null; // where up and down are heading
  let width = 0;

  element.setAttribute("role", "grid");

  function hits() {
    return sections.flatMap((section) => section.hits);
  }

  /** @returns {typeof lines} */
  function layOut() {
    const target = width < 600 ? 124 : width < 1100 ? 180 : 220;
    /** @type {typeof lines} */
    const next = [];
    let first = 0;
    for (const [index, { hits, line }] of sections.entries()) {
      if (line !== null) next.push({ key: `line ${line}`, line });
      const ratios = hits.map((hit) => ratio(hit.width, hit.height));
      for (const row of justify(ratios, width, target, GAP, more && index === sections.length - 1)) {
        const placed = row.boxes.map((box) => ({ ...box, hit: first + box.at }));
        const names = placed.map((box) => keyOf(hits[box.at]) + `:${box.width}`).join(" ");
        next.push({ key: `${row.height} ${first + row.boxes[0].at} ${names}`, height: row.height, boxes: placed });
      }
      first += hits.length;
    }
    return next;
  }

  function draw() {
    const next = layOut();
    const all = hits();
    const shown = new Map();
    for (const [index, line] of next.entries()) {
      const old = element.children[index];
      let row = old;
      if (lines[index]?.key !== line.key || !old) {
        row = line.boxes ? rowOf(line, all, tiles) : lineOf(line.line);
        if (old) old.replaceWith(row);
        else element.append(row);
      }
      for (const box of line.boxes ?? []) shown.set(keyOf(all[box.hit]), row.children[box.at - line.boxes[0].at].firstChild);
    }
    while (element.children.length > next.length) element.lastChild.remove();
    for (const [key, tile] of tiles) if (!shown.has(key)) stopLoading(tile);
    lines = next;
    tiles = shown;
    element.setAttribute("aria-rowcount", more ? -1 : rows().length);
    current = Math.min(current, Math.max(0, all.length - 1));
    for (const [key, tile] of tiles) tile.tabIndex = key === keyOf(all[current]) ? 0 : -1;
  }

  /** @param {typeof lines[number]} line */
  function rowOf({ height, boxes }, all, before) {
    const row = document.createElement("div");
    row.setAttribute("role", "row");
    row.className = "row";
    row.style.height = `${height}px`;
    for (const box of boxes) {
      const hit = all[box.hit];
      const cell = document.createElement("div");
      cell.setAttribute("role", "gridcell");
      cell.style.left = `${box.x}px`;
      cell.style.width = `${box.width}px`;
      const tile = before.get(keyOf(hit)) ?? tileOf(hit, Math.max(box.width, height));
      tile.href = addressOf(hit);
      tile.dataset.hit = box.hit;
      tile.setAttribute("aria-label", labelOf(hit));
      badge(tile, hit);
      cell.append(tile);
      row.append(cell);
    }
    return row;
  }

  function lineOf(text) {
    const row = document.createElement("div");
    row.setAttribute("role", "row");
    row.className = "weak-line";
    const cell = document.createElement("div");
    cell.setAttribute("role", "gridcell");
    cell.textContent = text;
    row.append(cell);
    return row;
  }

  const rows = () => lines.filter((line) => line.boxes);

  function focus(at) {
    const all = hits();
    if (!all[at]) return;
    const tile = tiles.get(keyOf(all[at]));
    if (!tile) return; // in the row that waits for more
    const before = tiles.get(keyOf(all[current]));
    if (before) before.tabIndex = -1;
    current = at;
    tile.tabIndex = 0;
    tile.focus();
  }

  element.addEventListener("click", (event) => {
    const tile = event.target.closest("a[data-hit]");
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab is the browser's business
    event.preventDefault();
    current = Number(tile.dataset.hit);
    open(hits()[current]);
  });
  element.addEventListener("focusin", (event) => {
    if (event.target.dataset.hit) current = Number(event.target.dataset.hit);
  });
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !event.target.dataset.hit) return;
    const all = rows();
    const row = all.findIndex((line) => line.boxes.some((box) => box.hit === current));
    if (row < 0) return;
    const box = all[row].boxes.find((one) => one.hit === current);
    const upOrDown = event.key === "ArrowUp" || event.key === "ArrowDown";
    if (!upOrDown) column = null;
    if (event.key === "ArrowRight") focus(current + 1);
    else if (event.key === "ArrowLeft") focus(Math.max(0, current - 1));
    else if (event.key === "Home") focus(0);
    else if (event.key === "End") focus(all.at(-1).boxes.at(-1).hit);
    else if (event.key === "Escape" || (event.key === "ArrowUp" && row === 0)) leave();
    else if (upOrDown) {
      column ??= box.x + box.width / 2; // kept while going on, else one drifts to the side
      const to = all[row + (event.key === "ArrowUp" ? -1 : 1)];
      if (to) focus(nearest(to.boxes, column).hit);
    } else return;
    event.preventDefault();
  });
  new ResizeObserver(() => {
    if (!element.clientWidth || element.clientWidth === width) return; // 0: it is hidden
    width = element.clientWidth;
    draw();
  }).observe(element);

  return {
    /** Show these sections of hits; `toCome` if more hits may follow the last. */
    show(its, toCome) {
      sections = its;
      more = toCome;
      width = element.clientWidth;
      draw();
    },
    /** Begin at the first hit again, as for another question. */
    rewind() {
      current = 0;
      column = null;
    },
    /** Give the focus to the hit one was at; false if there is none. */
    enter() {
      if (!rows().length) return false;
      focus(current);
      return true;
    },
    /** The tile of a photo, if it is shown. */
    tileOf: (photo) => [...tiles.values()].find((tile) => tile.dataset.photo === String(photo)),
  };
}

const keyOf = (hit) => `${hit.photo}-${hit.content}`;

function tileOf(hit, side) {
  const tile = document.createElement("a");
  tile.dataset.photo = hit.photo;
  const image = document.createElement("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = ""; // the link has the name
  image.addEventListener("error", () => {
    const text = document.createElement("span");
    text.className = "gone-text";
    text.textContent = `${nameOf(hit.path)} is gone or cannot be read`;
    image.replaceWith(text);
  });
  image.src = thumbnail(hit.photo, side * devicePixelRatio <= 340 ? 320 : 640, hit.content);
  tile.append(image);
  return tile;
}

/** A picture that nobody waits for any more would hold up the next ones: browsers have six lines to a server. */
function stopLoading(tile) {
  const image = tile.querySelector("img");
  if (image && !image.complete) image.removeAttribute("src");
}

function badge(tile, hit) {
  tile.querySelector(".alike")?.remove();
  if (!hit.alike.length) return;
  const span = document.createElement("span");
  span.className = "alike";
  span.textContent = `+${hit.alike.length}`;
  tile.append(span);
}

function labelOf(hit) {
  const parts = [nameOf(hit.path)];
  if (hit.date) parts.push((hit.date_from === "file" ? "file of " : "") + momentOf(hit.date));
  if (hit.confidence !== null) parts.push(`${percent(hit.confidence)} probable`);
  if (hit.alike.length) parts.push(`and ${hit.alike.length} almost the same`);
  return parts.join(", ");
}
