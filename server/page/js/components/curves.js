// Recall against K as an SVG: a line, its 95% band and its name for each evaluation.

import { html, svg } from "../../vendor/lit-html.js";

const LEFT = 38;
const TOP = 12;
const BOTTOM = 38;
const LABEL = 15; // pixels from one name to the next
const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000, 1000000];

/**
 * A figure of one direction. `series` are `{name, color, points: [{k, recall, low, high}]}` with rising k,
 * `color` a number that the style sheet knows; `width` is in pixels, `scale` is "log" or "linear".
 */
export function curves(title, series, width, scale) {
  const id = `curves-${title.replaceAll(/\W+/g, "-").toLowerCase()}`;
  const right = Math.min(170, 20 + 6.6 * Math.max(...series.map((one) => one.name.length)));
  const height = Math.round(Math.min(340, Math.max(240, width * 0.62)));
  const ks = series.flatMap((one) => one.points.map((point) => point.k));
  const [least, most] = [Math.min(...ks), Math.max(...ks)];
  const at = scale === "log" ? Math.log : (k) => k;
  const span = at(most) - at(least) || 1;
  const x = (k) => LEFT + ((at(k) - at(least)) / span) * (width - LEFT - right);
  const y = (recall) => TOP + (1 - recall / 100) * (height - TOP - BOTTOM);
  const ticks = roomy(scale === "log" ? TICKS.filter((k) => k >= least && k <= most) : even(least, most), x);
  return html`<figure class="curves">
    <figcaption>${title}</figcaption>
    <svg width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc">
      <title id="${id}-title">Recall against K, ${title}</title>
      <desc id="${id}-desc">${series.map(told).join(" ")} All numbers are in the table below.</desc>
      ${[0, 25, 50, 75, 100].map(
        (recall) => svg`<line class="grid" x1=${LEFT} x2=${width - right} y1=${y(recall)} y2=${y(recall)}/>
          <text class="tick" x=${LEFT - 6} y=${y(recall) + 4} text-anchor="end">${recall}${recall === 100 ? "%" : ""}</text>`,
      )}
      ${ticks.map(
        (k) => svg`<line class="grid" x1=${x(k)} x2=${x(k)} y1=${y(0)} y2=${y(0) + 4}/>
          <text class="tick" x=${x(k)} y=${y(0) + 17} text-anchor="middle">${k.toLocaleString("en")}</text>`,
      )}
      <text class="tick" x=${(LEFT + width - right) / 2} y=${height - 5} text-anchor="middle">K</text>
      ${series.map((one) => svg`<polygon class="band s${one.color}" points=${band(one.points, x, y)}/>`)}
      ${series.map(
        (one) => svg`<g class="s${one.color}">
          <polyline class="line" points=${one.points.map((point) => `${x(point.k)},${y(point.recall)}`).join(" ")}/>
          ${one.points.map(
            (point) => svg`<circle class="dot" cx=${x(point.k)} cy=${y(point.recall)} r="3.5">
              <title>${one.name}: R@${point.k} ${interval(point)}</title></circle>`,
          )}</g>`,
      )}
      ${labels(series, y, TOP + 4, height - BOTTOM).map(
        (label) => svg`<path class="leader s${label.color}" d="M${x(label.last.k) + 5} ${y(label.last.recall)}L${width - right + 12} ${label.y - 4}"/>
          <text class="label s${label.color}" x=${width - right + 15} y=${label.y}>${short(label.name, right - 18)}<title>${label.name}</title></text>`,
      )}
    </svg>
  </figure>`;
}

/** A recall with its interval, as text. */
export const interval = (point) => `${point.recall.toFixed(1)} (${point.low.toFixed(1)}–${point.high.toFixed(1)})`;

const told = (one) =>
  `${one.name}: from ${one.points[0].recall.toFixed(1)}% at K ${one.points[0].k} to ${one.points.at(-1).recall.toFixed(1)}% at K ${one.points.at(-1).k}.`;

function band(points, x, y) {
  const high = points.map((point) => `${x(point.k)},${y(point.high)}`);
  const low = points.map((point) => `${x(point.k)},${y(point.low)}`).reverse();
  return [...high, ...low].join(" ");
}

/** The names beside the ends of their lines, moved apart where they would cover each other. */
function labels(series, y, top, bottom) {
  const placed = series
    .map((one) => ({ ...one, last: one.points.at(-1), y: y(one.points.at(-1).recall) + 4 }))
    .sort((one, other) => one.y - other.y);
  let free = top;
  for (const label of placed) {
    label.y = Math.max(label.y, free);
    free = label.y + LABEL;
  }
  let limit = bottom;
  for (const label of [...placed].reverse()) {
    label.y = Math.min(label.y, limit);
    limit = label.y - LABEL;
  }
  return placed;
}

const short = (name, room) => (name.length * 6.6 <= room ? name : `${name.slice(0, Math.floor(room / 6.6) - 1)}…`);

/** Some of the ticks: those that leave room for their numbers. */
function roomy(ticks, x) {
  let free = -Infinity;
  return ticks.filter((k) => {
    if (x(k) < free) return false;
    free = x(k) + 12 + 8 * String(k).length;
    return true;
  });
}

function even(least, most) {
  const step = TICKS.find((tick) => (most - least) / tick <= 6) ?? most;
  const ticks = [];
  for (let k = Math.ceil(least / step) * step; k <= most; k += step) ticks.push(k);
  return ticks[0] === least ? ticks : [least, ...ticks];
}
