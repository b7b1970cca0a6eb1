// Degrees, kilometres and the square of a web map (Mercator): from 0 to 1, west to east and north to south.

const EARTH_KM = 6371.0088; // mean radius (IUGG)
const END = 85.0511; // degrees, where that map ends
const DIGITS = 4; // of degrees: 11 m

/** @typedef {{south: number, west: number, north: number, east: number}} Bounds in degrees */

/**
 * A point of the map. Degrees beyond the antimeridian are beyond 0 to 1.
 * @param {number} latitude
 * @param {number} longitude
 * @returns {[number, number]} x and y
 */
export function project(latitude, longitude) {
  const north = (Math.min(Math.max(latitude, -END), END) * Math.PI) / 180;
  return [(longitude + 180) / 360, 0.5 - Math.log(Math.tan(Math.PI / 4 + north / 2)) / (2 * Math.PI)];
}

/** The distance of two points, each latitude and longitude in degrees, in kilometres (haversine formula). */
export function distance([latitude, longitude], [other, otherLongitude]) {
  const [a, b, east] = [latitude, other, otherLongitude - longitude].map((degrees) => (degrees * Math.PI) / 180);
  const half = Math.sin((b - a) / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin(east / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(half)));
}

/** The longitude as it is between -180 and 180. */
export const wrapped = (longitude) => ((((longitude + 180) % 360) + 360) % 360) - 180;

/**
 * West and east as /api/map takes them of a map that was moved around the earth: its middle is between -180 and 180.
 * @param {{west: number, east: number}} bounds
 */
export function turnedBack({ west, east }) {
  if (east - west >= 360) return [-180, 180];
  const turns = 360 * Math.round((west + east) / 720);
  return [west - turns, east - turns];
}

/**
 * The longitudes at which a map shows a point: one that is wider than the earth shows it more than once.
 * @param {number} longitude from -180 to 180
 * @param {Bounds} bounds of the map, which may be beyond that
 */
export function copies(longitude, { west, east }) {
  const found = [];
  for (let at = longitude + 360 * Math.ceil((west - longitude) / 360); at <= east; at += 360) found.push(at);
  return found;
}

/**
 * The filter `near` and `within` around a middle that has all points in it.
 * @param {[number, number]} middle latitude and longitude
 * @param {{latitude: number, longitude: number, km: number}[]} points with what is around each
 */
export function circle(middle, points) {
  const km = Math.max(0.1, ...points.map((point) => distance(middle, [point.latitude, point.longitude]) + point.km));
  return { near: `${middle[0].toFixed(DIGITS)},${wrapped(middle[1]).toFixed(DIGITS)}`, within: length(km) };
}

/** A distance as the filter `within` takes it, rounded up. */
export function length(km) {
  if (km < 1) return `${Math.ceil(km * 100) * 10}m`;
  return `${km < 10 ? Math.ceil(km * 10) / 10 : Math.ceil(km)}km`;
}
