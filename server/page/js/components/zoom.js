// How a photo is zoomed: pure geometry, in pixels of the screen.
//
// A zoom of 1 shows the whole photo as large as it fits. Points are measured from the middle of the stage, and so is the
// middle of the photo: {x, y} of a zoom.

/** @typedef {{scale: number, x: number, y: number}} Zoom */
/** @typedef {{width: number, height: number}} Size */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {{stage: Size, fit: Size, real: number}} Frame */

/** @type {Zoom} */
export const WHOLE = Object.freeze({ scale: 1, x: 0, y: 0 });

const BEYOND = 4; // times the scale at which a pixel of the photo is one of the screen
const CLICK = [2, 4]; // a click zooms to real pixels, but no less and no more than this

const between = (value, least, most) => Math.min(Math.max(value, least), most);

/**
 * A stage with a photo in it. `fit` is the size of the whole photo in the stage, `real` the scale at which a pixel of
 * the photo is a pixel of the screen.
 * @param {Size} photo in its own pixels
 * @param {Size} stage
 * @param {number} density pixels of the screen for one of the page
 * @returns {Frame}
 */
export function frameOf(photo, stage, density) {
  const shrunk = Math.min(stage.width / photo.width, stage.height / photo.height);
  return {
    stage,
    fit: { width: photo.width * shrunk, height: photo.height * shrunk },
    real: 1 / (shrunk * density),
  };
}

/** The largest scale. */
export const most = (frame) => Math.max(BEYOND, BEYOND * frame.real);

/** The scale that a click zooms to. */
export const clickScale = (frame) => between(frame.real, CLICK[0], CLICK[1]);

/**
 * The nearest zoom that is allowed: no smaller than the whole photo, and no empty border where the photo is larger than
 * the stage. Where it is smaller, it stays in the middle.
 * @param {Zoom} zoom
 * @param {Frame} frame
 * @returns {Zoom}
 */
export function limited({ scale, x, y }, frame) {
  const its = between(scale, 1, most(frame));
  const across = Math.max(0, (frame.fit.width * its - frame.stage.width) / 2);
  const down = Math.max(0, (frame.fit.height * its - frame.stage.height) / 2);
  return { scale: its, x: between(x, -across, across), y: between(y, -down, down) };
}

/**
 * Another scale, at which the same part of the photo is under `point`, as far as the limits let it.
 * @param {Zoom} zoom
 * @param {number} scale
 * @param {Point} point
 * @param {Frame} frame
 */
export function zoomedAt(zoom, scale, point, frame) {
  return pinched(zoom, point, point, between(scale, 1, most(frame)) / zoom.scale, frame);
}

/**
 * What was at `from` is at `to`, and everything around it is `times` as large: two fingers, of which `from` and `to` are
 * the middles.
 * @param {Zoom} zoom
 * @param {Point} from
 * @param {Point} to
 * @param {number} times
 * @param {Frame} frame
 */
export function pinched(zoom, from, to, times, frame) {
  const scale = between(zoom.scale * times, 1, most(frame));
  const its = scale / zoom.scale;
  return limited({ scale, x: to.x - (from.x - zoom.x) * its, y: to.y - (from.y - zoom.y) * its }, frame);
}

/** The zoom moved by so many pixels. */
export const panned = (zoom, x, y, frame) => limited({ scale: zoom.scale, x: zoom.x + x, y: zoom.y + y }, frame);

/** Whether a point is on the photo, not on the dark around it. */
export function isOnPhoto(point, zoom, { fit }) {
  return (
    Math.abs(point.x - zoom.x) * 2 <= fit.width * zoom.scale && Math.abs(point.y - zoom.y) * 2 <= fit.height * zoom.scale
  );
}

export const isZoomed = (zoom) => zoom.scale > 1.001;

/** Whether a view of the photo, `side` pixels at its longer side, shows less than the photo has, in this zoom. */
export function isTooSmall(side, zoom, frame, density) {
  const longer = Math.max(frame.fit.width, frame.fit.height) * density;
  return isZoomed(zoom) && longer * zoom.scale > side && longer * frame.real > side;
}
