// The earth without tiles: land and borders (Natural Earth, public domain) drawn on a canvas.

import { ask } from "../api/client.js";
import { project } from "./geo.js";

const FILE = new URL("../../data/coastline.json", import.meta.url);

/**
 * A line of the map, with what it lies in. The points are x, y, x, y, …
 * @typedef {{points: Float64Array, west: number, north: number, east: number, south: number}} Line
 * @typedef {{land: Line[][], borders: Line[]}} World land: rings of each part, the first of them around it
 */

/** @type {Promise<World> | null} */
let loading = null;

/** Land and borders; fetched once. Fails if the server does not answer. */
export function loadWorld() {
  loading ??= ask(FILE).then(worldOf);
  loading.catch(() => (loading = null)); // the next one tries again
  return loading;
}

/**
 * The lines of a GeoJSON collection with a feature of land and one of borders.
 * @param {any} collection
 * @returns {World}
 */
export function worldOf(collection) {
  const of = (kind) => collection.features.find((feature) => feature.properties.kind === kind).geometry.coordinates;
  return { land: of("land").map((rings) => rings.map(lineOf)), borders: of("borders").map(lineOf) };
}

/** @returns {Line} */
function lineOf(places) {
  const points = new Float64Array(places.length * 2);
  const line = { points, west: Infinity, north: Infinity, east: -Infinity, south: -Infinity };
  places.forEach(([longitude, latitude], at) => {
    const [x, y] = project(latitude, longitude);
    points[2 * at] = x;
    points[2 * at + 1] = y;
    line.west = Math.min(line.west, x);
    line.east = Math.max(line.east, x);
    line.north = Math.min(line.north, y);
    line.south = Math.max(line.south, y);
  });
  return line;
}

/**
 * Draws a part of the world. `left` and `top` of it are in pixels of a map that is `size` pixels wide.
 * @param {CanvasRenderingContext2D} context
 * @param {World} world
 * @param {{left: number, top: number, width: number, height: number, size: number}} part
 * @param {{sea: string, land: string, border: string}} colours
 */
export function draw(context, world, part, colours) {
  const { left, top, width, height, size } = part;
  context.fillStyle = colours.sea;
  context.fillRect(0, 0, width, height);
  context.fillStyle = colours.land;
  context.strokeStyle = colours.border;
  context.lineWidth = 1;
  // A part across the antimeridian shows the world twice, and land across it is part of both of its turns.
  for (let turn = Math.floor(left / size) - 1; turn * size < left + width + size; turn += 1) {
    const at = { left: left - turn * size, top, size };
    const isIn = (line) =>
      line.east * size >= at.left && line.west * size <= at.left + width && line.south * size >= top && line.north * size <= top + height;
    context.beginPath();
    for (const rings of world.land) if (isIn(rings[0])) for (const ring of rings) trace(context, ring, at);
    context.fill("evenodd");
    context.beginPath();
    for (const line of world.borders) if (isIn(line)) trace(context, line, at);
    context.stroke();
  }
}

/** A line without the points that are closer than a pixel: of the whole world, these are nine of ten. */
function trace(context, { points }, { left, top, size }) {
  let [x, y] = [points[0] * size - left, points[1] * size - top];
  context.moveTo(x, y);
  for (let at = 2; at < points.length; at += 2) {
    const [nextX, nextY] = [points[at] * size - left, points[at + 1] * size - top];
    if (Math.abs(nextX - x) < 1 && Math.abs(nextY - y) < 1 && at < points.length - 2) continue;
    [x, y] = [nextX, nextY];
    context.lineTo(x, y);
  }
}

/** The colours of the map where an element is: they differ between light and dark. */
export function coloursAt(element) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(name).trim();
  return { sea: colour("--map-sea"), land: colour("--map-land"), border: colour("--map-border") };
}

/** A canvas that is sharp on this screen, and what draws on it in CSS pixels. */
export function sharpCanvas(width, height) {
  const canvas = document.createElement("canvas");
  const ratio = Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d", { alpha: false });
  context.scale(ratio, ratio);
  return { canvas, context };
}
