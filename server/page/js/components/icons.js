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
