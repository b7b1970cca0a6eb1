// The few signs that buttons carry, drawn as strokes in the colour of the text.

import { svg } from "../../vendor/lit-html.js";

const icon = (paths) => svg`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${paths}</svg>`;

export const CLOSE = icon(svg`<path d="M6 6 18 18M18 6 6 18"/>`);
export const LEFT = icon(svg`<path d="M15 5 8 12l7 7"/>`);
export const RIGHT = icon(svg`<path d="m9 5 7 7-7 7"/>`);
export const DOWN = icon(svg`<path d="m7 10 5 5 5-5"/>`);
export const MORE = icon(svg`<path d="M12 6v12M6 12h12"/>`);
export const LESS = icon(svg`<path d="M6 12h12"/>`);
export const WHERE = icon(svg`<circle cx="12" cy="12" r="5.5"/><path d="M12 2.5v4M12 17.5v4M2.5 12h4M17.5 12h4"/>`);
export const PART = icon(svg`<path d="M7 3v14h14M3 7h14v14"/>`);
export const OUT = icon(svg`<path d="M14 5h5v5M19 5l-8 8M11 6H6v12h12v-5"/>`);
export const CHECK = icon(svg`<path d="m6 12.5 4 4 8-9"/>`);
export const SAVE = icon(svg`<path d="M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 19.5h14"/>`);
export const COPY = icon(svg`<path d="M9 9h10v11H9zM15 9V4H5v11h4"/>`);
export const ALBUM = icon(svg`<path d="M5 8h14v12H5zM7 5h10M12 11v6M9 14h6"/>`);
export const STAR = icon(svg`<path d="m12 4 2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8z"/>`);
export const LINK = icon(svg`<path d="M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.3 1.3M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.3-1.3"/>`);
export const FOLDER = icon(svg`<path d="M4 6h6l2 2.5h8V19H4z"/>`);
export const CALENDAR = icon(svg`<path d="M5 6.5h14V20H5zM5 10.5h14M9 4v4M15 4v4"/>`);
export const CAMERA = icon(svg`<path d="M4 8h4l1.5-2.5h5L16 8h4v11H4z"/><circle cx="12" cy="13" r="3.5"/>`);
export const PLACE = icon(svg`<path d="M12 21c-4-5-6-8-6-11a6 6 0 0 1 12 0c0 3-2 6-6 11z"/><circle cx="12" cy="10" r="2.2"/>`);
export const CLOCK = icon(svg`<circle cx="12" cy="12" r="8"/><path d="M12 7.5V12l3 2"/>`);
export const LENS = icon(svg`<circle cx="11" cy="11" r="6"/><path d="m16 16 5 5"/>`);
export const DOTS = icon(svg`<path d="M6 12h.01M12 12h.01M18 12h.01"/>`);
export const HEART = icon(svg`<path d="M12 20S4 15 4 9.2A4.2 4.2 0 0 1 12 7.4a4.2 4.2 0 0 1 8 1.8C20 15 12 20 12 20z"/>`);
export const ZOOM = icon(svg`<circle cx="11" cy="11" r="6"/><path d="m16 16 5 5M8.5 11h5M11 8.5v5"/>`);
export const WHOLE = icon(svg`<circle cx="11" cy="11" r="6"/><path d="m16 16 5 5M8.5 11h5"/>`);
export const PLAY = icon(svg`<path d="M8 5.5v13l11-6.5z"/>`);
export const PAUSE = icon(svg`<path d="M8.5 6v12M15.5 6v12"/>`);
export const FULL = icon(svg`<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/>`);
export const SMALL = icon(svg`<path d="M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5"/>`);
export const KEYS = icon(svg`<rect x="3" y="6.5" width="18" height="11" rx="2"/><path d="M7 10.5h.01M11 10.5h.01M15 10.5h.01M8 14h8"/>`);
