// Degrees and kilometres of the map.

import assert from "node:assert/strict";
import { test } from "node:test";
import { circle, copies, distance, length, project, turnedBack, wrapped } from "../../server/page/js/components/geo.js";

const PARIS = /** @type {[number, number]} */ ([48.8534, 2.3488]);

test("the map is a square from 0 to 1", () => {
  assert.deepEqual(project(0, 0), [0.5, 0.5]);
  assert.deepEqual(project(85.0511, -180).map((one) => Number(one.toFixed(4))), [0, 0]);
  assert.deepEqual(project(90, 180), project(85.0511, 180)); // the poles are at its edge
  assert.equal(project(-90, 180)[1].toFixed(4), "1.0000");
  assert.equal(project(0, 190)[0], 370 / 360); // beyond the antimeridian it goes on
});

test("distances are great circles", () => {
  // A degree of latitude is 6371.0088 km * pi / 180.
  assert.equal(distance([0, 0], [1, 0]).toFixed(2), "111.20");
  assert.equal(distance([0, 179.5], [0, -179.5]).toFixed(2), "111.20"); // across the antimeridian
  assert.equal(distance(PARIS, PARIS), 0);
});

test("a map that is wider than the earth shows a point twice", () => {
  assert.deepEqual(copies(0, { south: -80, west: -200, north: 80, east: 200 }), [0]);
  assert.deepEqual(copies(179, { south: -80, west: -200, north: 80, east: 200 }), [-181, 179]);
  assert.deepEqual(copies(-179, { south: -20, west: 170, north: 0, east: 190 }), [181]);
  assert.deepEqual(copies(0, { south: -20, west: 170, north: 0, east: 190 }), []);
  assert.deepEqual([wrapped(190), wrapped(-190), wrapped(180), wrapped(2.5)], [-170, 170, -180, 2.5]);
});

test("a map that was moved around the earth asks for the same as one that was not", () => {
  assert.deepEqual(turnedBack({ west: -20, east: 40 }), [-20, 40]);
  assert.deepEqual(turnedBack({ west: 160, east: 190 }), [160, 190]); // across the antimeridian, as it is
  assert.deepEqual(turnedBack({ west: 1060, east: 1120 }), [-20, 40]); // three times around
  assert.deepEqual(turnedBack({ west: -1100, east: -1040 }), [-20, 40]);
  assert.deepEqual(turnedBack({ west: 943, east: 1588 }), [-180, 180]); // all of it, and more than once
});

test("a circle has all points in it", () => {
  const [latitude, longitude] = PARIS;
  assert.deepEqual(circle(PARIS, [{ latitude, longitude, km: 0 }]), { near: "48.8534,2.3488", within: "100m" });
  // 0.1 degrees north is 11.1 km, and 2 km around that: 13.1 km, rounded up.
  assert.deepEqual(circle(PARIS, [{ latitude: latitude + 0.1, longitude, km: 2 }, { latitude, longitude, km: 1 }]), {
    near: "48.8534,2.3488",
    within: "14km",
  });
  assert.equal(circle([0, 190], [{ latitude: 0, longitude: -170, km: 1 }]).near, "0.0000,-170.0000");
});

test("distances are rounded up", () => {
  assert.deepEqual([0.1, 0.041, 0.999, 1, 1.01, 9.99, 10.1, 250].map(length), ["100m", "50m", "1000m", "1km", "1.1km", "10km", "11km", "250km"]);
});
