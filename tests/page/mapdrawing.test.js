// Land and borders, drawn on a canvas that writes down what it is asked for.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { draw, worldOf } from "../../server/page/js/components/mapdrawing.js";

const COLOURS = { sea: "blue", land: "white", border: "grey" };

/** A square of land around 0, 0, and a border through it. */
const WORLD = worldOf({
  features: [
    { properties: { kind: "land" }, geometry: { coordinates: [[[[-9, -9], [9, -9], [9, 9], [-9, 9], [-9, -9]]]] } },
    { properties: { kind: "borders" }, geometry: { coordinates: [[[0, -9], [0, 9]]] } },
  ],
});

function drawn(part, world = WORLD) {
  const calls = [];
  const context = { fillRect: (...box) => calls.push(["sea", ...box]) };
  for (const name of ["beginPath", "fill", "stroke"]) context[name] = () => calls.push([name]);
  for (const name of ["moveTo", "lineTo"]) context[name] = (x, y) => calls.push([name, Math.round(x), Math.round(y)]);
  draw(/** @type {any} */ (context), world, part, COLOURS);
  return calls;
}

test("a part of the world has its sea, land and borders", () => {
  // At 360 pixels a degree is a pixel wide; the middle of the map is at 180, 180.
  const calls = drawn({ left: 170, top: 170, width: 20, height: 20, size: 360 });
  assert.deepEqual(calls[0], ["sea", 0, 0, 20, 20]);
  assert.deepEqual(calls.filter(([name]) => name === "moveTo"), [["moveTo", 1, 19], ["moveTo", 10, 19]]);
  assert.equal(calls.filter(([name]) => name === "lineTo").length, 4 + 1);
});

test("points that are closer than a pixel are left out, but not the last one", () => {
  // 9 degrees are 0.9 pixels of a map of 36.
  assert.equal(drawn({ left: 0, top: 0, width: 36, height: 36, size: 36 }).filter(([name]) => name === "lineTo").length, 4 + 1);
  // At a tenth of that the square and the border are one line each.
  assert.equal(drawn({ left: 0, top: 0, width: 4, height: 4, size: 3.6 }).filter(([name]) => name === "lineTo").length, 1 + 1);
});

test("what is elsewhere is not drawn", () => {
  assert.equal(drawn({ left: 0, top: 0, width: 20, height: 20, size: 360 }).filter(([name]) => name === "moveTo").length, 0);
});

test("beyond the antimeridian the world begins again", () => {
  const calls = drawn({ left: 170 + 360, top: 170, width: 20, height: 20, size: 360 });
  assert.deepEqual(calls.find(([name]) => name === "moveTo"), ["moveTo", 1, 19]);
  const wide = drawn({ left: 0, top: 170, width: 720, height: 20, size: 360 });
  assert.equal(wide.filter(([name]) => name === "moveTo").length, 4);
});

test("land that goes on beyond the antimeridian is on both sides of the map", () => {
  const ring = [[170, -9], [190, -9], [190, 9], [170, 9], [170, -9]];
  const world = worldOf({ features: [{ properties: { kind: "land" }, geometry: { coordinates: [[ring]] } }, { properties: { kind: "borders" }, geometry: { coordinates: [] } }] });
  assert.deepEqual(drawn({ left: 0, top: 170, width: 20, height: 20, size: 360 }, world).find(([name]) => name === "moveTo"), ["moveTo", -10, 19]);
  assert.deepEqual(drawn({ left: 340, top: 170, width: 20, height: 20, size: 360 }, world).find(([name]) => name === "moveTo"), ["moveTo", 10, 19]);
});

test("the shipped file has land and borders", () => {
  const world = worldOf(JSON.parse(readFileSync(new URL("../../server/page/data/coastline.json", import.meta.url), "utf8")));
  assert.ok(world.land.length > 1000 && world.borders.length > 300);
  const xs = world.land.flat();
  // Chukotka ends at 190.3 degrees: land across the antimeridian goes on beyond it.
  assert.ok(Math.min(...xs.map((line) => line.west)) >= 0);
  assert.equal(Math.max(...xs.map((line) => line.east)).toFixed(3), (370.27 / 360).toFixed(3));
});
