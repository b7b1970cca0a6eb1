// A map of points without tiles of anybody: land and borders are drawn here. Loaded when a map is opened.

import { Gone } from "../api/client.js";
import { circle, copies, project, turnedBack } from "./geo.js";
import { coloursAt, draw, loadWorld, sharpCanvas } from "./mapdrawing.js";

const TILE = 256; // pixels
const MOST_ZOOM = 18;
const SMALL_ZOOM = 4.5; // of the map of one photo: about 20 degrees wide
const SMALL_HEIGHT = 150; // pixels
const AROUND = 0.25; // of the map's size, for which points are asked for as well
const OWN = 56; // pixels of a point's picture

/**
 * A point as /api/map has it: latitude, longitude, number of photos, the latest one, its content, town, kilometres.
 * @typedef {[number, number, number, number, string | null, string | null, number]} Point
 */

/**
 * A map in an element, which must have a size. Its styles are in map.css.
 * @param {HTMLElement} element
 * @param {{
 *   pictureOf: (photo: number, content: string | null) => string,
 *   nameOf: (point: Point) => string,
 *   press: (point: Point) => void,
 *   moved: () => void,
 * }} options `pictureOf` is the address of a small picture, `nameOf` what a screen reader says of a point; `press` is
 *   called for a point that was clicked, `moved` when another part of the map is seen
 */
export async function mountMap(element, { pictureOf, nameOf, press, moved }) {
  const [leaflet, world] = await Promise.all([loadLeaflet(), loadWorld()]);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const map = leaflet.map(element, {
    attributionControl: false,
    zoomAnimation: !still,
    fadeAnimation: false,
    markerZoomAnimation: !still,
    inertia: !still,
    minZoom: 1,
    maxZoom: MOST_ZOOM,
    maxBounds: [[-86, -Infinity], [86, Infinity]],
    maxBoundsViscosity: 1,
  });
  map.setView([20, 0], 2);
  const ground = landLayer(leaflet, world, element).addTo(map);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => ground.redraw();
  dark.addEventListener("change", redraw);
  map.on("moveend", moved);
  const sizes = new ResizeObserver(() => map.invalidateSize({ pan: false }));
  sizes.observe(element);
  /** @type {Map<string, {marker: any, point: Point}>} */
  const shown = new Map(); // by what a point is and where

  /** @param {Point} point */
  function markerOf(point, longitude) {
    const [latitude, , photos, photo, content] = point;
    const picture = document.createElement("img");
    Object.assign(picture, { src: pictureOf(photo, content), alt: "", loading: "lazy", decoding: "async", draggable: false });
    const inside = document.createElement("span");
    inside.append(picture);
    if (photos > 1) {
      const number = document.createElement("b");
      number.textContent = short(photos);
      inside.append(number);
    }
    const icon = leaflet.divIcon({ html: inside, className: "map-point", iconSize: [OWN, OWN] });
    const marker = leaflet.marker([latitude, longitude], { icon, keyboard: true, riseOnHover: true });
    marker.on("click", () => press(point));
    marker.addTo(map);
    const button = marker.getElement();
    button.setAttribute("aria-label", nameOf(point));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      press(point);
    });
    return marker;
  }

  /** @type {any[]} */
  let names = [];

  return {
    /** Names these towns, each [latitude, longitude, name], for those who see the map. @param {[number, number, string][]} towns */
    name(towns) {
      const bounds = boundsOf(map.getBounds().pad(AROUND));
      for (const marker of names) marker.remove();
      names = towns.flatMap(([latitude, longitude, name]) => {
        const text = document.createElement("span");
        text.textContent = name;
        const icon = leaflet.divIcon({ html: text, className: "map-town", iconSize: [0, 0] });
        const options = { icon, interactive: false, keyboard: false, zIndexOffset: -100_000 };
        return copies(longitude, bounds).map((at) => leaflet.marker([latitude, at], options).addTo(map));
      });
      for (const marker of names) marker.getElement().setAttribute("aria-hidden", "true");
    },
    /** Shows these points instead. Those that stay keep their elements, and with them the focus. @param {Point[]} points */
    show(points) {
      const bounds = boundsOf(map.getBounds().pad(AROUND));
      const wanted = new Map();
      for (const point of points)
        for (const longitude of copies(point[1], bounds)) wanted.set(`${point.join()} ${longitude}`, { point, longitude });
      const had = element.contains(document.activeElement) && document.activeElement !== element;
      for (const [key, { marker }] of shown) {
        if (wanted.has(key)) continue;
        marker.remove();
        shown.delete(key);
      }
      for (const [key, { point, longitude }] of wanted)
        if (!shown.has(key)) shown.set(key, { marker: markerOf(point, longitude), point });
      if (had && !element.contains(document.activeElement)) element.focus({ preventScroll: true });
    },
    /** What to ask /api/map for: the zoom, and what is seen and a little around it. */
    part() {
      const seen = boundsOf(map.getBounds().pad(AROUND));
      const { south, north } = seen;
      const [west, east] = turnedBack(seen);
      const bounds = [Math.max(south, -90), west, Math.min(north, 90), east].map((one) => one.toFixed(5)).join();
      return { zoom: map.getZoom(), bounds };
    },
    /** The filter of the photos that are seen now; null if there are none. */
    around() {
      const bounds = map.getBounds();
      const seen = [...shown.values()].filter(({ marker }) => bounds.contains(marker.getLatLng()));
      const { lat, lng } = map.getCenter();
      const points = seen.map(({ point: [latitude, longitude, , , , , km] }) => ({ latitude, longitude, km }));
      return points.length ? circle([lat, lng], points) : null;
    },
    /** Shows all between south, west, north and east. */
    fit([south, west, north, east]) {
      map.fitBounds([[south, west], [north, east]], { padding: [OWN, OWN], maxZoom: 10, animate: false });
    },
    /** Goes nearer to a point, so that its photos come apart. @param {Point} point */
    approach([latitude, longitude, , , , , km]) {
      const near = map.getBoundsZoom(leaflet.latLng(latitude, longitude).toBounds(Math.max(km * 2000, 50)));
      map.setView([latitude, longitude], Math.min(MOST_ZOOM, Math.max(near, map.getZoom() + 1)));
    },
    /** Whether nothing is to be seen by going nearer. @param {Point} point */
    isOnePlace: (point) => point[6] < 0.05 || map.getZoom() >= MOST_ZOOM,
    resize: () => map.invalidateSize({ pan: false }),
    remove() {
      sizes.disconnect();
      dark.removeEventListener("change", redraw);
      map.remove();
    },
  };
}

const boundsOf = (bounds) => ({ south: bounds.getSouth(), west: bounds.getWest(), north: bounds.getNorth(), east: bounds.getEast() });

/** A number of photos in four signs. */
const short = (photos) => (photos < 1000 ? String(photos) : photos < 10_000 ? `${Math.floor(photos / 100) / 10}k` : `${Math.floor(photos / 1000)}k`);

let leafletLoading = null;

/** Leaflet with its styles. It is a script of the kind that defines a global name. */
async function loadLeaflet() {
  // @ts-expect-error It is a script, not a module.
  leafletLoading ??= Promise.all([import("../../vendor/leaflet.js"), loadStyles()]);
  leafletLoading.catch(() => (leafletLoading = null)); // the next one tries again
  await leafletLoading;
  return /** @type {any} */ (globalThis).leaflet;
}

function loadStyles() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("../../vendor/leaflet.css", import.meta.url).href;
  return new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => reject(new Gone("The server does not answer.")));
    document.head.prepend(link); // before our own, which change some of it
  });
}

/** A layer of Leaflet that draws land and borders. */
function landLayer(leaflet, world, element) {
  const Land = leaflet.GridLayer.extend({
    createTile({ x, y, z }) {
      const { canvas, context } = sharpCanvas(TILE, TILE);
      draw(context, world, { left: x * TILE, top: y * TILE, width: TILE, height: TILE, size: TILE * 2 ** z }, coloursAt(element));
      return canvas;
    },
  });
  return new Land({ tileSize: TILE, maxZoom: MOST_ZOOM, keepBuffer: 1 });
}

/**
 * A small still map around one point, without Leaflet: the element gets a canvas and a mark in its middle.
 * @param {HTMLElement} element gets the class "small-map"; it must be in the page
 * @param {number} latitude
 * @param {number} longitude
 * @param {string} [name] of the place, for screen readers
 */
export async function smallMap(element, latitude, longitude, name = "") {
  element.classList.add("small-map");
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", name ? `On a map: ${name}` : "On a map");
  const world = await loadWorld();
  if (!element.isConnected) return;
  const width = element.clientWidth || 300;
  const { canvas, context } = sharpCanvas(width, SMALL_HEIGHT);
  const size = TILE * 2 ** SMALL_ZOOM;
  const [x, y] = project(latitude, longitude);
  const part = { left: x * size - width / 2, top: y * size - SMALL_HEIGHT / 2, width, height: SMALL_HEIGHT, size };
  draw(context, world, part, coloursAt(element));
  const mark = document.createElement("span");
  mark.className = "map-mark";
  element.replaceChildren(canvas, mark);
}
