// Boxes over a picture that is shown as large as fits. An SVG with the photo's size as its view box is scaled just so.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG with an outline for each box: left, top, right and bottom in pixels of the photo. */
export function frame(width, height, boxes) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const [left, top, right, bottom] of boxes) {
    // A dark line under a light one, to be seen on any photo.
    for (const line of ["under", "over"]) {
      const rect = document.createElementNS(SVG, "rect");
      const sides = { x: left, y: top, width: right - left, height: bottom - top, class: line };
      for (const [name, value] of Object.entries(sides)) rect.setAttribute(name, value);
      svg.append(rect);
    }
  }
  return svg;
}

const limited = (value, least, most) => Math.min(Math.max(value, least), most);

/** The box between two points, in whole pixels inside the photo. */
export function between(one, other, width, height) {
  const [left, right] = [one.x, other.x].sort((a, b) => a - b).map((x) => Math.round(limited(x, 0, width)));
  const [top, bottom] = [one.y, other.y].sort((a, b) => a - b).map((y) => Math.round(limited(y, 0, height)));
  return [left, top, right, bottom];
}

/** The box moved by so many pixels, as far as the photo goes. */
export function moved([left, top, right, bottom], x, y, width, height) {
  const across = limited(Math.round(x), -left, width - right);
  const down = limited(Math.round(y), -top, height - bottom);
  return [left + across, top + down, right + across, bottom + down];
}

/** The box with its right and lower side moved, no smaller than `least` pixels. */
export function resized([left, top, right, bottom], x, y, width, height, least) {
  return [left, top, limited(right + x, left + least, width), limited(bottom + y, top + least, height)];
}

/** The box, or one of `least` pixels a side that begins where it does. */
export function grown([left, top, right, bottom], width, height, least) {
  const [x, y] = [Math.min(left, width - least), Math.min(top, height - least)];
  return [x, y, Math.max(right, x + least), Math.max(bottom, y + least)];
}

/** The middle of the photo, half as wide and high. */
export const middle = (width, height) => [width / 4, height / 4, (width * 3) / 4, (height * 3) / 4].map(Math.round);

export const isInside = ({ x, y }, [left, top, right, bottom]) => x > left && x < right && y > top && y < bottom;
