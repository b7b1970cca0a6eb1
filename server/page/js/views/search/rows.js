// The rows of the grid that are in the document. A row that stays is not touched, and a tile that goes from one row to
// another keeps its picture.

import { boxesOf } from "../../components/justified.js";
import { dropPicture, makeTile, reuseTile } from "./tile.js";

const MOST_SPARE = 200;

/** @typedef {{row: HTMLElement, key: string, tiles: HTMLAnchorElement[]}} Drawn */

export class Rows {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    /** @type {Map<number, Drawn>} */
    this.drawn = new Map(); // by line
    /** @type {Map<number, HTMLAnchorElement>} */
    this.tiles = new Map(); // by photo
    /** @type {Map<string, Drawn>} */
    this.before = new Map(); // of the layout before, by what they show
    /** @type {HTMLAnchorElement[]} */
    this.spare = []; // tiles that are out of the document, for other photos: browsers collect garbage late
  }

  /** All has another place. `layout`, `ratios` and `photoAt` say which, `headingOf` gives that of a section. */
  renew(layout, ratios, photoAt, headingOf) {
    this.layout = layout;
    this.ratios = ratios;
    this.photoAt = photoAt;
    this.headingOf = headingOf;
    this.before = new Map([...this.drawn.values()].map((one) => [one.key, one]));
    this.drawn = new Map();
  }

  /** Have these lines in the document, and no others, in this order; each `shift` pixels above its place. */
  show(lines, shift) {
    const wanted = new Set(lines);
    for (const [line, { row }] of this.drawn) {
      if (wanted.has(line)) continue;
      row.remove();
      this.drawn.delete(line);
    }
    const tiles = new Map();
    let behind = null;
    for (const line of lines) {
      const one = this.drawn.get(line) ?? this.rowOf(line);
      this.drawn.set(line, one);
      one.row.style.top = `${this.layout.top[line] - shift}px`;
      one.row.setAttribute("aria-rowindex", String(line + 1));
      // The order of the document is that of the list, for screen readers.
      const next = behind ? behind.nextElementSibling : this.element.firstElementChild;
      if (next !== one.row) this.element.insertBefore(one.row, next);
      behind = one.row;
      for (const tile of one.tiles) tiles.set(Number(tile.dataset.photo), tile);
    }
    for (const { row } of this.before.values()) row.remove();
    this.before.clear();
    for (const [photo, tile] of this.tiles) if (tiles.get(photo) !== tile) this.putAside(tile);
    this.tiles = tiles;
  }

  putAside(tile) {
    dropPicture(tile);
    if (this.spare.length < MOST_SPARE) this.spare.push(tile);
  }

  /** A tile for a photo that has none. */
  tileFor(photo) {
    const spare = this.spare.pop();
    return spare ? reuseTile(spare, photo) : makeTile(photo);
  }

  rowOf(line) {
    const { layout } = this;
    const height = layout.heights[line];
    if (!layout.count[line]) return this.headingRow(this.headingOf(layout.sections[line]), height);
    const boxes = boxesOf(layout, line, this.ratios).map((box) => ({ ...box, photo: this.photoAt(box.at) }));
    const key = `${height} ${boxes.map(({ photo, width }) => `${photo}:${width}`).join(" ")}`;
    return this.kept(key) ?? this.pictureRow(key, boxes, height);
  }

  /** A row of the layout before that shows the same. */
  kept(key) {
    const one = this.before.get(key);
    this.before.delete(key);
    return one;
  }

  /** @returns {Drawn} */
  pictureRow(key, boxes, height) {
    const row = rowElement("row", height);
    const tiles = boxes.map(({ photo, x, width }) => {
      const cell = cellElement();
      cell.style.left = `${x}px`;
      cell.style.width = `${width}px`;
      const tile = this.tiles.get(photo) ?? this.tileFor(photo);
      tile.tabIndex = -1;
      tile.dataset.side = String(Math.max(width, height));
      cell.append(tile);
      row.append(cell);
      return tile;
    });
    return { row, key, tiles };
  }

  /** @returns {Drawn} */
  headingRow({ kind, text, detail = "" }, height) {
    const key = `# ${text} ${detail}`;
    const kept = this.kept(key);
    if (kept) return kept;
    const row = rowElement(kind === "line" ? "weak-line" : "month", height);
    const cell = cellElement();
    if (kind === "line") cell.textContent = text;
    else {
      const heading = document.createElement("h2");
      heading.textContent = text;
      const soft = document.createElement("span");
      soft.className = "soft";
      soft.textContent = detail;
      cell.append(heading, soft);
    }
    row.append(cell);
    return { row, key, tiles: [] };
  }
}

function rowElement(name, height) {
  const row = document.createElement("div");
  row.setAttribute("role", "row");
  row.className = name;
  row.style.height = `${height}px`;
  return row;
}

function cellElement() {
  const cell = document.createElement("div");
  cell.setAttribute("role", "gridcell");
  return cell;
}
